package prune

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mdp/engine/atomicfile"
	"mdp/engine/graph"
	"mdp/engine/onnx"
	"mdp/engine/pytorch"
	"mdp/engine/safetensors"
)

// A model folder holds one network: graph.json and weights.safetensors, and where
// it is known, in input.json its Normalisation; as a run folder holds its dense one.
const (
	graphFile   = "graph.json"
	weightsFile = "weights.safetensors"
)

// WriteModel writes a network into a model folder, made if it is not there. What
// it expects of its images may be nil: not known.
func WriteModel(dir string, g *graph.Graph, w graph.Weights, n *Normalisation) error {
	if err := w.Check(g); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, graphFile), g.Write); err != nil {
		return err
	}
	if err := safetensors.Write(filepath.Join(dir, weightsFile), w, layout); err != nil {
		return err
	}
	return writeInput(dir, n)
}

// ReadModel reads the network of a model folder, or the dense one of a run's.
func ReadModel(dir string) (*graph.Graph, graph.Weights, error) {
	g, err := readGraph(filepath.Join(dir, graphFile))
	if err != nil {
		return nil, nil, err
	}
	w, err := readWeights(filepath.Join(dir, weightsFile), g)
	return g, w, err
}

// importWeights reads weights from a file of any kind that mdp import reads, for
// the network that build makes of it, and what that is by them.
func importWeights(path string, build func(*pytorch.Checkpoint) (*graph.Graph, error)) (*graph.Graph, graph.Weights, error) {
	c, err := pytorch.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	g, err := build(c)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	g, w, err := c.Load(g)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, w, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// stem is a path's last element without what tells its kind.
func stem(path string) string {
	name := filepath.Base(path)
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// digests are the SHA-256 of files, one after another.
func digests(paths ...string) (all string, err error) {
	for _, p := range paths {
		d, err := digest(p)
		if err != nil {
			return "", err
		}
		all += d
	}
	return all, nil
}

// digestModel knows a file, or a model folder, by its contents.
func digestModel(path string) (string, error) {
	if !isFolder(path) {
		return digests(path)
	}
	files := []string{filepath.Join(path, graphFile), filepath.Join(path, weightsFile)}
	if input := filepath.Join(path, inputFile); exists(input) {
		files = append(files, input)
	}
	return digests(files...)
}

// digestONNX knows an ONNX model by its contents, and those of the files in its
// folder that its tensors lie in.
func digestONNX(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	m, err := onnx.Decode(b)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	files := []string{path}
	for _, f := range m.Files() {
		if filepath.IsLocal(f) { // reading it refuses any other
			files = append(files, filepath.Join(filepath.Dir(path), f))
		}
	}
	return digests(files...)
}

// importONNX reads the network of an ONNX file. Where the model leaves its image's
// size open, image says it.
func importONNX(path string, image graph.Shape) (*graph.Graph, graph.Weights, error) {
	n, err := onnx.Import(path, onnx.Options{Input: image})
	var unsupported onnx.Unsupported
	if errors.As(err, &unsupported) {
		return nil, nil, fmt.Errorf("%s: %s: mdp import %s lists them with the reasons", path, unsupported.Count(), Quoted(path))
	}
	if err != nil {
		return nil, nil, err
	}
	return n.Graph, n.Weights, nil
}

// logits is g without a softmax at its end: the loss has its own, and the largest
// stays the largest.
func logits(g *graph.Graph) (*graph.Graph, error) {
	last := g.Len() - 1
	if g.Node(last).Op != graph.OpSoftmax {
		return g, nil
	}
	return graph.New(g.Name(), g.Nodes()[:last])
}

// layout marks our own weight files.
var layout = map[string]string{"layout": "KRSC"}

func readGraph(path string) (*graph.Graph, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	g, err := graph.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// readWeights reads the weights of g, as this program writes them.
func readWeights(path string, g *graph.Graph) (graph.Weights, error) {
	tensors, _, err := safetensors.Read(path)
	if err != nil {
		return nil, err
	}
	w := graph.Weights(tensors)
	if err := w.Check(g); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}
