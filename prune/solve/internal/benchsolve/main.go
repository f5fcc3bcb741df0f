//go:build unix

// Benchsolve runs the solver's benchmarks on one thread and prints what they
// took beside what they must and should take. Every run is a process of its own,
// whose peak memory counts. From the repository's root:
//
//	go run ./prune/solve/internal/benchsolve bench/results/solve.txt
//
// The file gets what the benchmarks printed.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: benchsolve RAW.txt, from the repository's root")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "benchsolve:", err)
		os.Exit(1)
	}
}

// process is one run of benchmarks.
type process struct {
	name      string // of what its peak memory is
	bench     string // go test's -bench
	count     int    // samples of each
	benchtime string // of each sample
}

var processes = []process{
	{"published", "^(BenchmarkOptimum|BenchmarkFront)$", 5, "10x"},
	{"steps of 8", "^(BenchmarkFine|BenchmarkFineFront)$/step8$/(x|eps0)$", 3, "1x"},
	{"steps of 2", "^BenchmarkFine$/step2$", 3, "1x"},
	{"two devices", "^BenchmarkJoint$/mdp/2$", 5, "10x"},
}

func run(w io.Writer, rawFile string) error {
	scratch, err := os.MkdirTemp("", "benchsolve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	binary := filepath.Join(scratch, "solve.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./prune/solve")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the benchmarks: %w", err)
	}
	var raw bytes.Buffer
	var got samples
	for _, p := range processes {
		fmt.Fprintf(os.Stderr, "%s …\n", p.name)
		text, peakKB, err := p.run(binary)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(&raw, "# %s, GOMAXPROCS=1: peak memory %d kB\n%s\n", p.name, peakKB, text)
		got.read(text)
		got.add("peak/"+p.name, float64(peakKB)/1e3)
	}
	if err := os.WriteFile(rawFile, raw.Bytes(), 0o644); err != nil {
		return err
	}
	return writeTable(w, got)
}

// run returns what the benchmarks print, and their peak memory in kB.
func (p process) run(binary string) (text string, peakKB int64, err error) {
	cmd := exec.Command(binary, "-test.run", "^$", "-test.bench", p.bench,
		"-test.count", fmt.Sprint(p.count), "-test.benchtime", p.benchtime)
	cmd.Dir = filepath.Join("prune", "solve") // where its test data are
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", 0, fmt.Errorf("%w: %s", err, out)
	}
	if !strings.Contains(string(out), "ns/op") {
		return "", 0, fmt.Errorf("no benchmark is called %s", p.bench)
	}
	peakKB = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" {
		peakKB /= 1024 // bytes there
	}
	return string(out), peakKB, nil
}
