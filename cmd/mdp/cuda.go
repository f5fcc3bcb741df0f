//go:build cuda

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mdp/engine/cuda/cudnn"
	"mdp/engine/cuda/driver/cu"
)

// cudaFindings is the driver, cuDNN and a line for each GPU.
func cudaFindings() []finding {
	all, err := cu.Devices()
	if err != nil {
		return []finding{{Name: "cuda", Detail: oneLine(err)}}
	}
	findings := []finding{{"cuda", true, "driver " + cu.Driver()}, there("cudnn", cuDNN)}
	for _, d := range all {
		name := fmt.Sprintf("cuda:%d", d.Ordinal)
		if err := d.Supported(); err != nil {
			findings = append(findings, finding{name, false, oneLine(err)})
			continue
		}
		findings = append(findings, finding{name, true, fmt.Sprintf("%s, sm_%d%d, %.1f GiB at %d MHz on %d bits, %d SMs at up to %d MHz",
			d.Name, d.Capability[0], d.Capability[1], float64(d.MemoryBytes)/(1<<30), d.MemoryClockMHz, d.MemoryBusBits, d.SMs, d.ClockMHz)})
	}
	return findings
}

// cuDNN is the one that tables are measured with, and its file.
func cuDNN() (string, error) {
	l, err := cudnn.Open()
	if err != nil {
		return "", err
	}
	return l.Version() + ", " + l.Path(), nil
}

func cudaCommands(a *app) []*cobra.Command { return []*cobra.Command{newKernelsCmd(a)} }
