package prune

import (
	"fmt"

	"mdp/engine/data"
	"mdp/engine/graph"
)

// open opens the data set once, if there is one.
func (p *Pipeline) open() error {
	if p.test != nil || p.Config.Data == "" {
		return nil
	}
	train, test, err := data.Open(p.Config.Data, p.Config.Size)
	if err != nil {
		return err
	}
	sets := []*data.Set{train, test}
	if train == nil {
		if sets = sets[1:]; !p.Config.NoTrain {
			return fmt.Errorf("%s has images to validate with and none to train with: --no-train does without", p.Config.Data)
		}
	}
	images := ""
	for _, s := range sets {
		f, err := s.Fingerprint()
		if err != nil {
			return err
		}
		images += f
	}
	if p.Config.Normalise != "" {
		images += ", normalised by " + p.Config.Normalise
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
	return &data.Recipe{Crop: p.Config.Crop, Flip: p.Config.Flip, Mean: p.input.Mean, Std: p.input.Std}
}

// readyFor readies the data set, if there is one, for a network, which another
// set may not fit.
func (p *Pipeline) readyFor(g *graph.Graph) error {
	if err := p.open(); err != nil || p.test == nil {
		return err
	}
	if p.normalise == nil {
		if err := p.expect(p.test.C); err != nil {
			return err
		}
	}
	image := graph.Shape{H: p.test.H, W: p.test.W, C: p.test.C}
	if classes := g.Shape(g.Len() - 1).C; g.Shape(0) != image || classes != len(p.test.Classes) {
		do := "name the data it was trained on, or train in another run folder"
		if s := g.Shape(0); classes == len(p.test.Classes) && s.C == image.C && s.H == s.W {
			do = fmt.Sprintf("--size %d scales an image folder to that", s.H)
		}
		return fmt.Errorf("data %s has images of %v in %d classes, the run's network takes %v and tells %d apart: %s",
			p.Config.Data, image, len(p.test.Classes), g.Shape(0), classes, do)
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

// trainedOnAgain is trainedOn of a step after the first, which expects what that did.
func (p *Pipeline) trainedOnAgain() (string, error) {
	images, err := p.trainedOn()
	if err != nil {
		return "", err
	}
	normalised, err := p.inherit()
	return images + normalised, err
}
