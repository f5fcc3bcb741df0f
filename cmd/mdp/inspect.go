package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mdp/bench"
	"mdp/engine/atomicfile"
	"mdp/engine/graph"
	"mdp/engine/onnx"
	"mdp/engine/pytorch"
	"mdp/prune"
	"mdp/prune/inspect"
)

// inspectOptions are what mdp inspect takes.
type inspectOptions struct {
	*app
	svg, html, output string
	size              int
	json              bool
}

func newInspectCmd(a *app) *cobra.Command {
	o := &inspectOptions{app: a}
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what is in a model, a checkpoint, a table or a run's folder",
		Long: `Shows a network layer by layer: what each does, its output, parameters and
multiply-adds, the group of channels that its output belongs to (! where all
stay) and the block that may go with it. Of weights whose network is not known
it lists the tensors, of a latency table its rows, of kept channels the layers.

FILE is an ONNX model, a safetensors file, one of torch.save's, a latency table,
a graph.json or kept.json, or a folder with a graph.json in it.`,
		Example: `  mdp inspect runs/demo
  mdp inspect runs/demo/0.6x --json
  mdp inspect weights.safetensors --html network.html --svg network.svg`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runInspect(o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.svg, "svg", "", "SVG file to draw the network in, the channels that go together in one colour")
	f.StringVar(&o.html, "html", "", "HTML file for the drawing and the tables")
	f.IntVar(&o.size, "size", 0, "height and width of the images, where the file leaves them open")
	f.StringVar(&o.output, "output-name", "", "of an ONNX model: the value to end in (default its first output)")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	must(cmd.MarkFlagFilename("svg", "svg"))
	must(cmd.MarkFlagFilename("html", "html"))
	return cmd
}

func runInspect(o *inspectOptions, path string) error {
	r, err := o.look(path)
	if err != nil {
		return o.refused(path, err, o.json)
	}
	n, ok := r.(drawable)
	if !ok && (o.svg != "" || o.html != "") {
		return usageError{fmt.Errorf("%s holds no network that could be drawn", path)}
	}
	for _, f := range []struct {
		path string
		fill func(io.Writer) error
	}{{o.svg, n.WriteSVG}, {o.html, n.WriteHTML}} {
		if f.path == "" {
			continue
		}
		if err := atomicfile.Write(f.path, f.fill); err != nil {
			return err
		}
	}
	return o.print(r, o.json)
}

// look reads whatever path is.
func (o *inspectOptions) look(path string) (result, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		g, err := readGraph(filepath.Join(path, "graph.json"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s holds no graph.json: it is no run folder and no model folder", path)
		}
		return described(g, err)
	}
	switch filepath.Ext(path) {
	case ".onnx":
		n, err := onnx.Import(path, onnx.Options{Input: graph.Shape{H: o.size, W: o.size}, Output: o.output})
		if err != nil {
			return nil, err
		}
		return described(n.Graph, nil)
	case ".json":
		return o.lookJSON(path)
	case ".jsonl":
		h, rows, err := bench.ReadTable(path)
		return latencies{h, rows}, err
	case ".pkl":
		t, err := bench.ReadPublished(path)
		return published{t}, err
	}
	c, err := pytorch.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if g, err := c.Find(0, o.size, o.defaults().Width); err == nil {
		return described(g, nil)
	}
	all := tensors{}
	for _, t := range c.Tensors {
		all = append(all, tensorRow{t.Name, t.Shape, string(t.Type)})
	}
	return all, nil
}

// lookJSON reads a graph or kept channels.
func (o *inspectOptions) lookJSON(path string) (result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var what struct {
		Nodes  json.RawMessage `json:"nodes"`
		Layers json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(b, &what); err == nil && what.Layers != nil {
		k, err := prune.ReadKept(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return keptChannels{k}, nil
	} else if err != nil || what.Nodes == nil {
		return nil, fmt.Errorf("%s is neither a graph.json nor kept channels", path)
	}
	return described(readGraph(path))
}

func described(g *graph.Graph, err error) (result, error) {
	if err != nil {
		return nil, err
	}
	n, err := inspect.Describe(g)
	if err != nil {
		return nil, err
	}
	return drawable{n}, nil
}
