// Gpu-table makes a page of what gpu-check and gpu-bench found on a machine with a GPU:
// the network's speed beside PyTorch's, the kernels beside cuDNN, the device's peak and
// its copy bandwidth, masked convolutions beside dense ones; the instrument's self-test,
// tables of latencies beside cuDNN's and beside themselves, what a row costs, and
// sub-networks beside their predictions.
//
//	go run ./scripts/gpu-table OUTDIR...                            to read it
//	go run ./scripts/gpu-table -into bench/results/GPU OUTDIR...    to keep it: README.md, and what it was made of
//
// A folder that was cut off gives what it has; the page says what is missing.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mdp/engine/atomicfile"
)

func main() {
	into := flag.String("into", "", "a folder for the page, README.md, and the files that it was made of")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: gpu-table [-into DIR] OUTDIR..., the folders that gpu-check and gpu-bench wrote")
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	var page bytes.Buffer
	files, err := run(&page, flag.Args())
	if err == nil {
		if *into == "" {
			_, err = page.WriteTo(os.Stdout)
		} else {
			err = keep(*into, page.Bytes(), files)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gpu-table:", err)
		os.Exit(1)
	}
}

// run writes the page of folders and tells which files it is of.
func run(w io.Writer, dirs []string) (files []file, err error) {
	for i, dir := range dirs {
		if i > 0 {
			fmt.Fprintln(w)
		}
		f := &folder{dir: dir}
		page := check
		if _, err := os.Stat(filepath.Join(dir, benchSteps)); err == nil {
			page = benchPage
		}
		if err := page(w, f); err != nil {
			return nil, err
		}
		files = append(files, f.files...)
	}
	return files, nil
}

// check is the tables of gpu-check's folder.
func check(w io.Writer, f *folder) error {
	ours, err := rows(f, "kernels.jsonl")
	if err != nil {
		return err
	}
	theirs, err := rows(f, "cudnn.jsonl")
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if len(ours) == 0 || ours[0].Device.Name == "" {
		return fmt.Errorf("%s: the first line names no device", f.path("kernels.jsonl"))
	}
	steps, err := readSteps(f, "gpu-check.jsonl")
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	t := table{w, ours, theirs}
	t.machine()
	t.network()
	t.convolutions()
	t.ladders()
	t.masks()
	t.memoryBound()
	t.layers()
	failures(w, steps)
	return nil
}

// folder is what a script wrote, and which of it was read.
type folder struct {
	dir   string
	files []file
}

// file has its name within its folder.
type file struct{ name, path string }

func (f *folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// uses notes a file that the page is of.
func (f *folder) uses(name string) { f.files = append(f.files, file{name, f.path(name)}) }

func (f *folder) read(name string) ([]byte, error) {
	b, err := os.ReadFile(f.path(name))
	if len(b) > 0 {
		f.uses(name)
	}
	return b, err
}

// keep leaves the page and its files in a folder.
func keep(into string, page []byte, files []file) error {
	write := func(name string, text []byte) error {
		path := filepath.Join(into, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return atomicfile.Write(path, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	for _, f := range files {
		text, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		if err := write(f.name, text); err != nil {
			return err
		}
	}
	return write("README.md", page)
}
