// Compare-pytorch times the CPU backend and PyTorch in turn on the same shapes, batches and threads, row by
// row, and keeps raw samples as JSON and a table in Markdown. From the repository's root:
//
//	go run ./scripts/compare-pytorch                     # what is missing in bench/results/cpu-pytorch.json
//	go run ./scripts/compare-pytorch -again resnet50-train
//	go run ./scripts/compare-pytorch -table              # the table alone, from the file
//
// PyTorch is the fastest of eager and compiled, of inference also frozen (batch norm folded, filters packed),
// each in both memory layouts; all are tried before the measurement, and the fastest takes part in it. It lies
// in a virtual environment in ${XDG_CACHE_HOME:-$HOME/.cache}/mdp/torch that is made on the first run, or in
// that of -python. Compiling needs g++.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"mdp/engine/atomicfile"
	"mdp/engine/cpu"
)

func main() {
	var o options
	flag.StringVar(&o.python, "python", "", "a Python that has torch and torchvision; without, one is made")
	flag.StringVar(&o.file, "file", "bench/results/cpu-pytorch.json", "raw samples; the table lies beside it as .md")
	flag.StringVar(&o.again, "again", "", "rows to measure again, separated by commas")
	flag.StringVar(&o.only, "only", "", "the rows to look at, separated by commas; all without")
	flag.BoolVar(&o.try, "try", false, "only try PyTorch's variants, which fills its compiler's cache; keep nothing")
	flag.BoolVar(&o.table, "table", false, "only write the table")
	flag.StringVar(&o.peak, "peak", "", "a row: only run its work on our side and print this process's peak memory in KiB")
	flag.IntVar(&o.rounds, "rounds", 9, "samples of each side")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "compare-pytorch:", err)
		os.Exit(1)
	}
}

type options struct {
	python, file, again, only, peak string
	try, table                      bool
	rounds                          int
}

// results are what the file keeps.
type results struct {
	Machine cpu.Machine       `json:"machine"`
	Go      string            `json:"go"`
	Torch   string            `json:"torch"`
	Rows    map[string]result `json:"rows"`
}

func run(o options) error {
	r := results{Rows: map[string]result{}}
	b, err := os.ReadFile(o.file)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", o.file, err)
	}
	all, err := rows()
	if err != nil {
		return err
	}
	if o.peak != "" {
		return printPeak(all, o.peak)
	}
	if o.table {
		return save(o.file, r, all)
	}
	if o.python == "" {
		if o.python, err = environment(); err != nil {
			return err
		}
	}
	machine := cpu.Info()
	if r.Machine.Model != "" && r.Machine.Model != machine.Model {
		return fmt.Errorf("%s is of %q, this is %q: name another -file", o.file, r.Machine.Model, machine.Model)
	}
	r.Machine, r.Go, r.Torch = machine, runtime.Version(), torch
	for _, row := range all {
		if _, there := r.Rows[row.name]; o.only != "" && !named(o.only, row.name) || there && !o.try && !named(o.again, row.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", row.name)
		start := time.Now()
		measured, err := row.measure(o)
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.1f s\n", row.name, time.Since(start).Seconds())
		if o.try {
			continue
		}
		if measured.Others > mostOthers {
			return fmt.Errorf("%s: other processes took %.0f %% of the processor: it was not kept, measure it when they are done", row.name, 100*measured.Others)
		}
		r.Rows[row.name] = measured
		if err := save(o.file, r, all); err != nil {
			return err
		}
	}
	return nil
}

func named(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }

func save(file string, r results, all []row) error {
	err := atomicfile.Write(file, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(r)
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(strings.TrimSuffix(file, ".json")+".md", func(w io.Writer) error { return writeTable(w, r, all) })
}
