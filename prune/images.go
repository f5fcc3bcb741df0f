package prune

import (
	"fmt"

	"mdp/engine/data"
	"mdp/engine/graph"
)

// open opens the data set once.
func (p *Pipeline) open() error {
	if p.train != nil {
		return nil
	}
	train, test, err := data.Open(p.Config.Data, p.Config.Size)
	if err != nil {
		return err
	}
	images := ""
	for _, s := range []*data.Set{train, test} {
		f, err := s.Fingerprint()
		if err != nil {
			return err
		}
		images += f
	}
	p.train, p.test, p.images = train, test, images
	return nil
}

// augment is the steps of a training image before it is normalised.
func (p *Pipeline) augment() []data.Step {
	var steps []data.Step
	if p.Config.Crop > 0 {
		steps = append(steps, data.RandomCrop(p.Config.Crop))
	}
	if p.Config.ResizedCrop > 0 {
		steps = append(steps, data.RandomResizedCrop(p.train.H, p.train.W, p.Config.ResizedCrop))
	}
	if p.Config.Flip {
		steps = append(steps, data.HorizontalFlip())
	}
	return steps
}

// recipe is augment and normalise as numbers, nil where there is a step that no
// device does.
func (p *Pipeline) recipe() *data.Recipe {
	if p.Config.ResizedCrop > 0 {
		return nil
	}
	return &data.Recipe{Crop: p.Config.Crop, Flip: p.Config.Flip, Mean: p.mean, Std: p.std}
}

// readyFor readies the data set for a network, which another set may not fit.
func (p *Pipeline) readyFor(g *graph.Graph) error {
	if err := p.open(); err != nil {
		return err
	}
	if p.normalise == nil {
		var err error
		if p.mean, p.std, err = data.MeanStd(p.train, 10_000); err != nil {
			return err
		}
		p.normalise = data.Normalize(p.mean, p.std)
	}
	image := graph.Shape{H: p.train.H, W: p.train.W, C: p.train.C}
	if classes := g.Shape(g.Len() - 1).C; g.Shape(0) != image || classes != len(p.train.Classes) {
		return fmt.Errorf("data %s has images of %v in %d classes, the run's network takes %v and tells %d apart: name the data it was trained on, or train in another run folder",
			p.Config.Data, image, len(p.train.Classes), g.Shape(0), classes)
	}
	return nil
}

// trainedOn tells what a step that trains sees: the images, by what they hold,
// and what is done to them.
func (p *Pipeline) trainedOn() (string, error) {
	if err := p.open(); err != nil {
		return "", err
	}
	c := p.Config
	return fmt.Sprintf("%s, crop %d, resized crop %g, flip %t", p.images, c.Crop, c.ResizedCrop, c.Flip), nil
}
