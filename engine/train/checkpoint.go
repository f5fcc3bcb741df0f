package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"gorgonia.org/tensor"

	"mdp/engine"
	"mdp/engine/graph"
	"mdp/engine/safetensors"
)

// checkpoint is everything a run needs to go on as if it had not stopped.
type checkpoint struct {
	Config  Config         `json:"config"`
	Graph   string         `json:"graph"`   // SHA-256 of the graph's JSON
	Weights string         `json:"weights"` // digest of those the training began with
	Images  string         `json:"images"`  // as Run has it
	Step    int            `json:"step"`    // steps done
	History []Epoch        `json:"history"`
	Running Epoch          `json:"running"` // sums of the epoch that is under way
	SHA256  string         `json:"sha256"`  // of the tensors, by name
	Scaling engine.Scaling `json:"scaling,omitzero"`
	weights graph.Weights
	momenta graph.Weights
}

const momentumPrefix = "momentum:"

// write replaces the file at path, whole or not at all.
func (c checkpoint) write(path string) error {
	tensors := map[string]*tensor.Dense{}
	maps.Copy(tensors, c.weights)
	for name, t := range c.momenta {
		tensors[momentumPrefix+name] = t
	}
	var err error
	if c.SHA256, err = digest(tensors); err != nil {
		return err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return safetensors.Write(path, tensors, map[string]string{"layout": "KRSC", "mdp_checkpoint": string(b)})
}

// readCheckpoint returns nil when there is no file. A file of another training
// than the fresh one, or with a wrong checksum, is an error: it is never
// overwritten silently.
func readCheckpoint(path string, fresh checkpoint) (*checkpoint, error) {
	tensors, meta, err := safetensors.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; delete the checkpoint to start again", err)
	}
	c := checkpoint{weights: graph.Weights{}, momenta: graph.Weights{}}
	if err := json.Unmarshal([]byte(meta["mdp_checkpoint"]), &c); err != nil {
		return nil, fmt.Errorf("%s is not a checkpoint of this program; move it away or choose another run folder", path)
	}
	if sum, err := digest(tensors); err != nil || c.SHA256 != sum {
		return nil, fmt.Errorf("checkpoint %s is damaged: its checksum does not match; delete it to start again", path)
	}
	other := ""
	switch {
	case c.Graph != fresh.Graph || c.Config != fresh.Config:
		other = "another network or configuration"
	case c.Weights != fresh.Weights:
		other = "other first weights"
	case c.Images != fresh.Images:
		other = "other images"
	}
	if other != "" {
		return nil, fmt.Errorf("checkpoint %s belongs to a training with %s; delete it to start again", path, other)
	}
	for name, t := range tensors {
		if p, ok := strings.CutPrefix(name, momentumPrefix); ok {
			c.momenta[p] = t
		} else {
			c.weights[name] = t
		}
	}
	return &c, nil
}

// digest is the SHA-256 of the tensors as a safetensors file without metadata.
func digest(tensors map[string]*tensor.Dense) (string, error) {
	h := sha256.New()
	if err := safetensors.Encode(h, tensors, nil); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func graphDigest(g *graph.Graph) string {
	b, err := json.Marshal(g)
	if err != nil {
		panic(err) // a validated graph always has a JSON form
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}
