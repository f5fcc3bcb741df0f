// Gpu-table makes a Markdown table of what gpu-check found on a machine with a GPU:
// the network's speed beside PyTorch's, the kernels beside cuDNN, the device's peak and
// its copy bandwidth, and masked convolutions beside dense ones.
//
//	go run ./scripts/gpu-table OUTDIR >bench/results/gpu.md
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gpu-table OUTDIR, the folder that gpu-check wrote")
		os.Exit(2)
	}
	if err := run(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gpu-table:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, dir string) error {
	ours, err := read(filepath.Join(dir, "kernels.jsonl"))
	if err != nil {
		return err
	}
	theirs, err := read(filepath.Join(dir, "cudnn.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if len(ours) == 0 || ours[0].Device.Name == "" {
		return fmt.Errorf("%s: the first line names no device", filepath.Join(dir, "kernels.jsonl"))
	}
	t := table{w, ours, theirs}
	t.machine()
	t.network()
	t.convolutions()
	t.ladders()
	t.masks()
	t.memoryBound()
	t.layers()
	return nil
}
