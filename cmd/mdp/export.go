package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mdp/engine/atomicfile"
	"mdp/engine/onnx"
	"mdp/engine/pytorch"
	"mdp/prune"
)

// exportOptions are what mdp export takes.
type exportOptions struct {
	*app
	budget                 string
	onnx, tensors, pytorch string
	batch                  int
	norms, half, json      bool
}

func newExportCmd(a *app) *cobra.Command {
	o := &exportOptions{app: a}
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write networks as ONNX, safetensors or PyTorch source",
		Long: `Writes the networks of a run's budgets, or the one of a model folder, for other
programs. Several networks have their budget put into the file's name.

  --onnx FILE         opset 17, images N×C×H×W, batch norms folded; what was
                      pruned, for which device and latency as metadata
  --safetensors FILE  tensors by their original names in PyTorch's order; beside
                      it, as FILE.kept.json, the indices kept of the dense ones
  --pytorch FOLDER    model.py, which is plain torch.nn, and its weights`,
		Example: `  mdp export runs/demo --onnx small.onnx
  mdp export runs/demo --budget 0.6x --pytorch small
  mdp export runs/demo --safetensors small.safetensors
  mdp export runs/demo --budget dense --onnx dense.onnx --batch 8 --fp16`,
		Args:              cobra.ExactArgs(1),
		RunE:              func(_ *cobra.Command, args []string) error { return runExport(o, args[0]) },
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.onnx, "onnx", "", "ONNX file to write")
	f.StringVar(&o.tensors, "safetensors", "", "safetensors file to write")
	f.StringVar(&o.pytorch, "pytorch", "", "folder for model.py and model.safetensors")
	f.StringVar(&o.budget, "budget", "", "one network of the run: a budget, or dense (default: every budget)")
	f.IntVar(&o.batch, "batch", 0, "ONNX: images per inference; 0 leaves it open")
	f.BoolVar(&o.norms, "keep-norms", false, "ONNX: leave batch norms as they are, for training on")
	f.BoolVar(&o.half, "fp16", false, "ONNX: weights and arithmetic in 16 bits; input and output stay float32")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	must(cmd.MarkFlagFilename("onnx", "onnx"))
	must(cmd.MarkFlagFilename("safetensors", "safetensors"))
	must(cmd.MarkFlagDirname("pytorch"))
	return cmd
}

func runExport(o *exportOptions, folder string) error {
	switch {
	case o.onnx == "" && o.tensors == "" && o.pytorch == "":
		return usageError{errors.New("nothing to write: say --onnx, --safetensors or --pytorch")}
	case o.batch < 0:
		return usageError{fmt.Errorf("--batch %d must not be negative", o.batch)}
	}
	var files exported
	err := o.networks(folder, func(label string, d prune.Deployable) error {
		made, err := o.write(label, d)
		files = append(files, made...)
		return err
	})
	if err != nil {
		return err
	}
	return o.print(files, o.json)
}

// networks calls f with each network of the folder; label tells several apart.
func (o *exportOptions) networks(folder string, f func(label string, d prune.Deployable) error) error {
	if _, err := os.Stat(filepath.Join(folder, "config.json")); err != nil {
		if o.budget != "" {
			return usageError{fmt.Errorf("%s is no run folder, and has no budgets", folder)}
		}
		g, w, err := prune.ReadModel(folder)
		if errors.Is(err, os.ErrNotExist) {
			return usageError{fmt.Errorf("%s is neither a run folder nor a model folder: %w", folder, err)}
		}
		if err != nil {
			return err
		}
		return f("", prune.Deployable{Graph: g, Weights: w, Facts: []prune.Fact{{Key: "network", Value: g.Name()}}})
	}
	c, err := readSaved(folder, o.defaults())
	if err != nil {
		return usageError{err}
	}
	p, err := prune.NewPipeline(folder, c, func(prune.Event) {})
	if err != nil {
		return err
	}
	defer p.Close()
	budgets := c.Budgets
	if o.budget != "" {
		budgets = []string{o.budget}
	}
	for _, b := range budgets {
		d, err := p.Deployable(b)
		if err != nil {
			return err
		}
		label := ""
		if len(budgets) > 1 {
			label = b
		}
		if err := f(label, d); err != nil {
			return err
		}
	}
	return nil
}

// write writes one network in every form asked for.
func (o *exportOptions) write(label string, d prune.Deployable) (exported, error) {
	metadata, facts := map[string]string{}, []string{}
	var entries []onnx.Entry
	for _, f := range d.Facts {
		metadata["mdp."+f.Key] = f.Value
		entries = append(entries, onnx.Entry{Key: "mdp." + f.Key, Value: f.Value})
		facts = append(facts, f.Key+": "+f.Value)
	}
	var files exported
	add := func(path string, write func(path string) error) error {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := write(path); err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			files = append(files, exportedFile{path, d.Graph.ParamCount(), d.Graph.MACs(), info.Size()})
		}
		return err
	}
	filled := func(fill func(io.Writer) error) func(string) error {
		return func(path string) error { return atomicfile.Write(path, fill) }
	}
	state := func(path string) error { return pytorch.WriteStateDict(path, d.Graph, d.Weights, metadata) }
	if o.onnx != "" {
		m, err := onnx.Export(d.Graph, d.Weights, onnx.ExportOptions{Batch: o.batch, Folded: !o.norms, Half: o.half, Version: readVersion().Version, Metadata: entries})
		if err != nil {
			return nil, err
		}
		if err := add(labelled(o.onnx, label), filled(func(w io.Writer) error { return onnx.Encode(w, m) })); err != nil {
			return nil, err
		}
	}
	if o.tensors != "" {
		path := labelled(o.tensors, label)
		if err := add(path, state); err != nil {
			return nil, err
		}
		if d.Kept != nil {
			if err := add(path+".kept.json", filled(d.Kept.Write)); err != nil {
				return nil, err
			}
		}
	}
	if o.pytorch != "" {
		folder := filepath.Join(o.pytorch, label)
		if err := add(filepath.Join(folder, "model.safetensors"), state); err != nil {
			return nil, err
		}
		source := func(w io.Writer) error { return pytorch.WriteSource(w, d.Graph, facts) }
		if err := add(filepath.Join(folder, "model.py"), filled(source)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// labelled puts the label before a file's extension: small.onnx, small-0.5x.onnx.
func labelled(path, label string) string {
	if label == "" {
		return path
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-" + label + ext
}

// exportedFile is a file that was written, and the network in it.
type exportedFile struct {
	File       string `json:"file"`
	Parameters int64  `json:"parameters"`
	MACs       int64  `json:"macs"`
	Bytes      int64  `json:"bytes"`
}

type exported []exportedFile

func (e exported) writeText(w io.Writer) error {
	rows := [][]string{{"file", "parameters", "MMAC", "MB"}}
	for _, f := range e {
		rows = append(rows, []string{f.File, fmt.Sprint(f.Parameters), mega(f.MACs), mega(f.Bytes)})
	}
	return table(w, rows)
}
