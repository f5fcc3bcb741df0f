package prune

import (
	"fmt"
	"os"
	"path/filepath"

	"mdp/engine/atomicfile"
	"mdp/engine/graph"
	"mdp/engine/pytorch"
	"mdp/engine/safetensors"
)

// A model folder holds one network: graph.json and weights.safetensors, as a run
// folder holds its dense one.
const (
	graphFile   = "graph.json"
	weightsFile = "weights.safetensors"
)

// WriteModel writes a network into a model folder, made if it is not there.
func WriteModel(dir string, g *graph.Graph, w graph.Weights) error {
	if err := w.Check(g); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, graphFile), g.Write); err != nil {
		return err
	}
	return safetensors.Write(filepath.Join(dir, weightsFile), w, layout)
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

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// digestModel is the SHA-256 of a file, or of the two of a model folder.
func digestModel(path string) (string, error) {
	if !isFolder(path) {
		return digest(path)
	}
	g, err := digest(filepath.Join(path, graphFile))
	if err != nil {
		return "", err
	}
	w, err := digest(filepath.Join(path, weightsFile))
	return g + w, err
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
