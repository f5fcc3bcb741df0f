package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mdp/engine/graph"
	"mdp/engine/onnx"
	"mdp/engine/pytorch"
	"mdp/prune"
)

// importOptions are what mdp import takes.
type importOptions struct {
	*app
	out, net, kept, output, normalise string
	size, classes                     int
	width                             float64
	json                              bool
}

func newImportCmd(a *app) *cobra.Command {
	o := &importOptions{app: a}
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Read a trained model from elsewhere into a model folder",
		Long: `Reads an ONNX model, graph and weights (opsets 6 to 23; what it lacks is listed
node by node), or the weights of a network that mdp nets lists from a
safetensors file or from one that torch.save wrote (.pt, .pth: a state dict, a
dictionary with one in it, or a whole module), by torchvision's or timm's names.
Nothing in the file is executed. Numbers of 16 and 64 bits become float32.

The network is the one whose tensors these are; --net names it where that is not
plain, or lists every difference. Leaves graph.json and weights.safetensors in a
folder, which mdp prune --weights takes, and with --normalise input.json. A
network that mdp export cut and that was trained on elsewhere comes back with
--kept.`,
		Example: `  mdp import model.onnx
  mdp import weights.safetensors
  mdp import resnet8.pth --net resnet8-cifar --size 28 --out models/mine
  mdp import small.pt --net resnet8-cifar --kept small.kept.json`,
		Args:              cobra.ExactArgs(1),
		RunE:              func(_ *cobra.Command, args []string) error { return runImport(o, args[0]) },
		ValidArgsFunction: cobra.FixedCompletions([]string{"onnx", "safetensors", "pt", "pth"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "folder to write (default models/<name of the file>)")
	f.StringVar(&o.net, "net", "", "the network (default: the one that the tensors fit)")
	f.StringVar(&o.kept, "kept", "", "of a network that mdp export cut and wrote: its kept.json")
	f.StringVar(&o.output, "output-name", "", "of an ONNX model: the value to end in (default its first output)")
	f.IntVar(&o.classes, "classes", 0, "classes; 0 is as many as the file's last layer has")
	f.IntVar(&o.size, "size", 0, "height and width of the images; 0 is the network's own")
	f.Float64Var(&o.width, "width", a.defaults().Width, "width multiplier of the network")
	f.StringVar(&o.normalise, "normalise", "", "what it was trained with, kept in the folder: imagenet, none, or MEAN/STD such as 0.286/0.353")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	must(cmd.RegisterFlagCompletionFunc("net", cobra.FixedCompletions(choices("net"), cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.MarkFlagDirname("out"))
	return cmd
}

func runImport(o *importOptions, file string) error {
	g, w, err := o.read(file)
	var mismatch *pytorch.MismatchError
	switch {
	case errors.As(err, &mismatch):
		err = errors.Join(o.print(differences{mismatch}, o.json), usageError{err})
	case err != nil:
		err = o.refused(file, err, o.json)
	}
	if err != nil {
		return err
	}
	if o.out == "" {
		name := filepath.Base(file)
		o.out = filepath.Join("models", strings.TrimSuffix(name, filepath.Ext(name)))
	}
	var input *prune.Normalisation
	if o.normalise != "" {
		n, err := prune.ReadNormalisation(o.normalise, g.Shape(0).C)
		if err != nil {
			return usageError{err}
		}
		input = &n
	}
	if err := prune.WriteModel(o.out, g, w, input); err != nil {
		return err
	}
	return o.print(imported{o.out, g.Name(), g.Shape(0), g.Shape(g.Len() - 1).C, g.ParamCount(), g.MACs()}, o.json)
}

// read reads the network in the file.
func (o *importOptions) read(file string) (*graph.Graph, graph.Weights, error) {
	if strings.EqualFold(filepath.Ext(file), ".onnx") {
		if o.net != "" || o.kept != "" || o.classes != 0 {
			return nil, nil, errors.New("an ONNX model says itself what network it is: --net, --kept and --classes are for other files")
		}
		n, err := onnx.Import(file, onnx.Options{Input: graph.Shape{H: o.size, W: o.size}, Output: o.output})
		if err != nil {
			return nil, nil, err
		}
		if s := n.Graph.Shape(0); o.size != 0 && (s.H != o.size || s.W != o.size) {
			return nil, nil, fmt.Errorf("%s: it takes images of %v, not of --size %d: export it with an open size", file, s, o.size)
		}
		return n.Graph, n.Weights, nil
	}
	c, err := pytorch.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	var g *graph.Graph
	if o.kept != "" && o.net == "" {
		return nil, nil, errors.New("--kept needs --net, the network that was cut")
	}
	if o.net == "" {
		g, err = c.Find(o.classes, o.size, o.width)
	} else {
		g, err = c.Build(o.net, o.classes, o.size, o.width)
	}
	if err == nil && o.kept != "" {
		g, err = o.cut(g)
	}
	if err == nil {
		var w graph.Weights
		if g, w, err = c.Load(g); err == nil {
			return g, w, nil
		}
	}
	return nil, nil, fmt.Errorf("%s: %w", file, err)
}

// cut is what the file of kept channels leaves of g.
func (o *importOptions) cut(g *graph.Graph) (*graph.Graph, error) {
	f, err := os.Open(o.kept)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	kept, err := prune.ReadKept(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.kept, err)
	}
	c, err := prune.Couple(g)
	if err != nil {
		return nil, err
	}
	choice, err := kept.Choice(g, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.kept, err)
	}
	return prune.ExtractGraph(g, c, choice)
}

// refused is the error of a file that cannot be read; where that is for nodes of an
// ONNX model, it prints them.
func (a *app) refused(file string, err error, asJSON bool) error {
	var unsupported onnx.Unsupported
	if !errors.As(err, &unsupported) {
		return usageError{err}
	}
	return errors.Join(a.print(nodes(unsupported.Nodes), asJSON), usageError{fmt.Errorf("%s: %s; each is listed with the reason", file, unsupported.Count())})
}

// nodes are an ONNX model's that cannot be imported, each on a line of its own.
type nodes []string

func (n nodes) writeText(w io.Writer) error {
	_, err := fmt.Fprintln(w, strings.Join(n, "\n"))
	return err
}

// differences are those of a file to a network, each on a line of its own.
type differences struct{ *pytorch.MismatchError }

func (d differences) writeText(w io.Writer) error {
	_, err := fmt.Fprintln(w, strings.Join(d.Lines(), "\n"))
	return err
}

// imported is what mdp import made.
type imported struct {
	Folder     string      `json:"folder"`
	Net        string      `json:"net"`
	Input      graph.Shape `json:"input"`
	Classes    int         `json:"classes"`
	Parameters int64       `json:"parameters"`
	MACs       int64       `json:"macs"`
}

func (i imported) writeText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s: %s for images of %v, %d classes, %d parameters, %s MMAC\n", i.Folder, i.Net, i.Input, i.Classes, i.Parameters, mega(i.MACs))
	return err
}
