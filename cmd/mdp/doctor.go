package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mdp/engine/cpu"
	"mdp/engine/data"
)

func newDoctorCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this machine has: processor, backends, cache, data",
		Long: `Shows what mdp finds on this machine, and for what is missing why and how to get
it.`,
		Example: `  mdp doctor
  mdp doctor --json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runDoctor(a, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func runDoctor(a *app, asJSON bool) error {
	m := cpu.Info()
	d := diagnosis{
		CPU: m.Model, Features: m.Features, Threads: m.Cores, ISA: m.ISA,
		Backends: append([]finding{there("cpu", cpuBackend)}, cudaFindings()...),
		Cache:    there("cache", cacheFolder),
		Data:     there("fashion-mnist", fashionMNIST),
	}
	return a.print(d, asJSON)
}

// diagnosis is what a machine has.
type diagnosis struct {
	CPU      string    `json:"cpu"`
	Features []string  `json:"features"`
	Threads  int       `json:"threads"`
	ISA      string    `json:"isa"`
	Backends []finding `json:"backends"`
	Cache    finding   `json:"cache"`
	Data     finding   `json:"data"`
}

// finding is something that is there, or is not.
type finding struct {
	Name   string `json:"name"`
	There  bool   `json:"there"`
	Detail string `json:"detail"` // what it is, or why it is missing and what to do
}

func there(name string, look func() (string, error)) finding {
	detail, err := look()
	if err != nil {
		return finding{name, false, oneLine(err)}
	}
	return finding{name, true, detail}
}

func cpuBackend() (string, error) {
	b, err := cpu.New(cpu.Options{})
	if err != nil {
		return "", err
	}
	return b.Name(), nil
}

func cacheFolder() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "mdp")
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%s is not there yet: scripts/data makes it", dir)
	}
	return dir, nil
}

func fashionMNIST() (string, error) {
	train, test, err := data.Open("fashion-mnist", 0)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d + %d images of %d×%d, %d classes", train.Len(), test.Len(), train.H, train.W, len(train.Classes)), nil
}

func (d diagnosis) writeText(w io.Writer) error {
	rows := [][]string{
		{"processor", d.CPU},
		{"features", strings.Join(d.Features, " ")},
		{"threads", fmt.Sprint(d.Threads)},
		{"kernels", d.ISA},
	}
	for _, b := range d.Backends {
		rows = append(rows, []string{"backend " + b.Name, b.text()})
	}
	return table(w, append(rows, []string{"cache", d.Cache.text()}, []string{"data " + d.Data.Name, d.Data.text()}))
}

func (f finding) text() string {
	if !f.There {
		return "missing: " + f.Detail
	}
	return f.Detail
}
