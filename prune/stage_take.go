package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/pytorch"
	"mdp/engine/train"
)

// source is where a run's network came from, and what was there.
type source struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Input  bool   `json:"input"` // it is known what the network expects of its images
}

// take makes the network that is given the dense one of the run, which needs
// neither its file nor its folder any more then.
func (p *Pipeline) take(ctx context.Context) error {
	c := p.Config
	from, err := p.source()
	if err == nil {
		err = p.open()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", StageTrain, err)
	}
	key := map[string]any{"net": c.Net, "width": c.Width, "size": c.Size, "weights": from.SHA256, "data": p.images, "normalise": c.Normalise}
	if !c.NoTrain {
		key["unfolded"] = p.Backend.Info().Arithmetic()
	}
	return p.stage(StageTrain, "", key, nil, append([]string{"source.json"}, denseFiles...), func() error {
		g, w, err := p.given()
		if err != nil {
			return err
		}
		if g, err = logits(g); err != nil {
			return err
		}
		if _, err := p.couple(g); err != nil {
			return err
		}
		if p.input = nil; isFolder(c.Weights) {
			if p.input, err = readInput(c.Weights); err != nil {
				return err
			}
		}
		from.Input = c.Normalise != "" || p.input != nil
		if err := p.expect(g.Shape(0).C); err != nil {
			return err
		}
		if err := p.readyFor(g); err != nil {
			return err
		}
		if !c.NoTrain {
			if g, w, err = p.unfold(ctx, g, w); err != nil {
				return err
			}
		}
		if p.input != nil && !from.Input {
			p.remark(StageTrain, "images are normalised by the data set's own mean %v and deviation %v: --normalise says what the network was trained with", p.input.Mean, p.input.Std)
		}
		if err := p.WriteJSON("source.json", from); err != nil {
			return err
		}
		return p.writeTrained(g, w, []train.Epoch{})
	})
}

// source looks at what the network is to be taken from. Where that is gone, it is
// what the run took from there.
func (p *Pipeline) source() (from source, err error) {
	from.Path = p.Config.Weights
	if p.Config.ONNX != "" {
		from.Path = p.Config.ONNX
		from.SHA256, err = digestONNX(from.Path)
	} else {
		from.SHA256, err = digestModel(from.Path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return from, err
	}
	var taken source
	if p.ReadJSON("source.json", &taken) != nil || taken.Path != from.Path {
		return from, err
	}
	p.remark(StageTrain, "%v: the run has a copy", err)
	return taken, nil
}

// given reads the network that is given. It is for the images of the data set,
// or where there is none, of the size asked for; its classes are its own, or for
// weights of --net, the data set's.
func (p *Pipeline) given() (*graph.Graph, graph.Weights, error) {
	c := p.Config
	image := graph.Shape{H: c.Size, W: c.Size}
	if p.test != nil {
		image = p.fitting().Input
	}
	switch {
	case c.ONNX != "":
		g, w, err := importONNX(c.ONNX, image)
		if err != nil && p.test != nil { // it may be of one size: readyFor compares that with the images
			if g, w, err := importONNX(c.ONNX, graph.Shape{}); err == nil {
				return g, w, nil
			}
		}
		return g, w, err
	case isFolder(c.Weights):
		return ReadModel(c.Weights)
	}
	return importWeights(c.Weights, func(file *pytorch.Checkpoint) (*graph.Graph, error) {
		if p.test == nil {
			return file.Build(c.Net, 0, c.Size, c.Width)
		}
		return nets.Build(c.Net, p.fitting())
	})
}
