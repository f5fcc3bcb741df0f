package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mdp/engine/device"
	"mdp/engine/graph"
	"mdp/engine/npy"
	"mdp/engine/onnx"
	"mdp/prune"
)

// runModelOptions are what mdp run takes.
type runModelOptions struct {
	*app
	inputs, outputs []string
	device          device.Options
	batch           int
	json            bool
}

func newRunCmd(a *app) *cobra.Command {
	d := a.defaults()
	o := &runModelOptions{app: a, device: device.Options{ISA: d.ISA}}
	cmd := &cobra.Command{
		Use:   "run MODEL",
		Short: "Compute a model's outputs for given inputs",
		Long: `Computes an ONNX model, or the network of a model or run folder, on any device.
Inputs and outputs are NumPy's .npy files, arranged as the model has them; those
of a folder's network are batch, channels, height, width. Where a model has
several, each is NAME=FILE. Of several inputs one is the image, whose first
dimension is the batch; the others are taken as constants.`,
		Example: `  mdp run model.onnx --input x.npy --output y.npy
  mdp run models/mine --input input=x.npy --output y.npy --device cpu --json`,
		Args:              cobra.ExactArgs(1),
		RunE:              func(_ *cobra.Command, args []string) error { return runModel(o, args[0]) },
		ValidArgsFunction: cobra.FixedCompletions([]string{"onnx"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.inputs, "input", nil, "input to read, FILE or NAME=FILE; once for each")
	f.StringArrayVar(&o.outputs, "output", nil, "output to write, FILE or NAME=FILE, which may also be a value inside; once for each")
	f.StringVar(&o.device.Name, "device", d.Device, "what it runs on: cpu, or a GPU as cuda:0; mdp doctor lists them")
	f.StringVar(&o.device.Precision, "precision", d.Precision, "how convolutions multiply: fp32, tf32, bf16 or fp16; the processor has fp32")
	f.IntVar(&o.device.Threads, "threads", d.Threads, "threads of the CPU backend; 0 takes every core")
	f.IntVar(&o.batch, "batch", d.LatencyBatch, "images at once")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	must(cmd.MarkFlagFilename("input", "npy"))
	must(cmd.MarkFlagFilename("output", "npy"))
	must(cmd.RegisterFlagCompletionFunc("precision", cobra.FixedCompletions(choices("precision"), cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

func runModel(o *runModelOptions, path string) error {
	switch {
	case len(o.inputs) == 0 || len(o.outputs) == 0:
		return usageError{errors.New("say --input FILE and --output FILE")}
	case o.batch < 1:
		return usageError{fmt.Errorf("--batch %d must be at least 1", o.batch)}
	}
	if err := o.device.Check(); err != nil {
		return usageError{err}
	}
	find, first, err := openModel(path)
	if err != nil {
		return usageError{err}
	}
	given, arrays := map[string]*onnx.Tensor{}, map[string]*npy.Array{}
	for _, spec := range o.inputs {
		name, file := named(spec, first)
		if given[name] != nil {
			return usageError{fmt.Errorf("input %q is given twice: give each its name, NAME=FILE", name)}
		}
		a, err := npy.Read(file)
		if err != nil {
			return usageError{err}
		}
		arrays[name], given[name] = a, onnx.NewTensor(a.Dims, a.Data, a.Whole)
	}
	d, err := device.Open(o.device)
	if err != nil {
		return err
	}
	defer d.Close()
	var results ran
	for _, spec := range o.outputs {
		name, file := named(spec, "")
		n, image, err := find(name, given)
		if err != nil {
			return o.refused(path, fmt.Errorf("%s: %w", path, err), o.json)
		}
		data, dims, err := n.Run(d, arrays[image].Dims, arrays[image].Data, o.batch)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := npy.Write(file, &npy.Array{Dims: dims, Data: data}); err != nil {
			return err
		}
		results = append(results, ranOutput{n.Output.Name, file, dims})
	}
	return o.print(results, o.json)
}

// named splits NAME=FILE; a FILE alone is what is called otherwise.
func named(spec, otherwise string) (name, file string) {
	if name, file, ok := strings.Cut(spec, "="); ok {
		return name, file
	}
	return otherwise, spec
}

// finder makes the network of a model that ends in the output of that name, "" for
// its first, and says which of the given inputs is the image.
type finder func(output string, given map[string]*onnx.Tensor) (*onnx.Network, string, error)

// openModel reads an ONNX file or a folder, and says what its first input is called.
func openModel(path string) (find finder, first string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if info.IsDir() {
		g, w, err := prune.ReadModel(path)
		if err != nil {
			return nil, "", err
		}
		n := &onnx.Network{Graph: g, Weights: w, Input: port(g, 0), Output: port(g, g.Len()-1)}
		return func(output string, given map[string]*onnx.Tensor) (*onnx.Network, string, error) {
			if output != "" && output != n.Output.Name || given[n.Input.Name] == nil || len(given) > 1 {
				return nil, "", fmt.Errorf("its input is called %q and its output %q", n.Input.Name, n.Output.Name)
			}
			return n, n.Input.Name, nil
		}, n.Input.Name, nil
	}
	m, err := onnx.Read(path)
	if err != nil {
		return nil, "", err
	}
	for _, v := range m.Graph.Inputs {
		if !slices.ContainsFunc(m.Graph.Initializers, func(t onnx.Tensor) bool { return t.Name == v.Name }) {
			first = v.Name
			break
		}
	}
	return func(output string, given map[string]*onnx.Tensor) (*onnx.Network, string, error) {
		return onnx.Find(m, filepath.Base(path), filepath.Dir(path), output, given)
	}, first, nil
}

// port is how PyTorch would have node i: a vector where it is one.
func port(g *graph.Graph, i int) onnx.Port {
	s, axes := g.Shape(i), "BCHW"
	if i > 0 && s.H == 1 && s.W == 1 {
		axes = "BC"
	}
	return onnx.Port{Name: g.Node(i).Name, Axes: axes}
}

// ran is what mdp run wrote.
type ran []ranOutput

type ranOutput struct {
	Output string `json:"output"`
	File   string `json:"file"`
	Shape  []int  `json:"shape"`
}

func (r ran) writeText(w io.Writer) error {
	for _, o := range r {
		if _, err := fmt.Fprintf(w, "%s: %s of shape %v\n", o.File, o.Output, o.Shape); err != nil {
			return err
		}
	}
	return nil
}
