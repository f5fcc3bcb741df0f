//go:build cuda

package cudnn

import (
	"errors"
	"fmt"
)

// Conv is a problem that is ready to run by one choice.
type Conv struct {
	by interface {
		run(Operands) error
		close()
	}
	choice Choice
}

// Find tries how cuDNN can compute the problem within the workspace there is, and
// returns the fastest, each run as deployed, with what is fused. stopwatch says
// how long a run takes on the device. The classic functions are tried first; the
// graph API where they cannot do it in one call. What is written is overwritten.
func (h *Handle) Find(p Problem, o Operands, stopwatch func(run func() error) (latencyNS int64, err error)) (Choice, error) {
	if err := p.check(); err != nil {
		return Choice{}, err
	}
	choices, err := h.candidates(p, o)
	if err != nil {
		return Choice{}, err
	}
	var best *Choice
	var failed error
	for _, choice := range choices {
		choice.LatencyNS, err = h.try(p, choice, o, stopwatch)
		switch {
		case unsupported(err): // a plan may turn out not to run
			failed = err
		case err != nil:
			return Choice{}, err
		case best == nil || choice.LatencyNS < best.LatencyNS:
			best = &choice
		}
	}
	if best == nil {
		return Choice{}, errors.Join(fmt.Errorf("cuDNN has nothing that computes %v in %d bytes of workspace", p, o.WorkspaceBytes), failed)
	}
	return *best, nil
}

// most is how many candidates are timed: the first are those that cuDNN thinks fastest.
const most = 8

func (h *Handle) candidates(p Problem, o Operands) ([]Choice, error) {
	if p.classic() {
		choices, err := h.findClassic(p, o)
		if err != nil && !unsupported(err) {
			return nil, err
		}
		if len(choices) > 0 {
			return choices[:min(most, len(choices))], nil
		}
	}
	return h.findGraph(p, o.WorkspaceBytes)
}

func (h *Handle) try(p Problem, choice Choice, o Operands, stopwatch func(func() error) (int64, error)) (latencyNS int64, err error) {
	c, err := h.Conv(p, choice)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return stopwatch(func() error { return c.Run(o) })
}

// Conv readies a choice that Find made for the problem, here or earlier by the
// same version of cuDNN.
func (h *Handle) Conv(p Problem, choice Choice) (*Conv, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if v := h.library.Version(); choice.Version != v {
		return nil, fmt.Errorf("the choice was found by cuDNN %s, this is %s: find it again", choice.Version, v)
	}
	if choice.Graph {
		g, err := h.openGraph(p, choice)
		if err != nil {
			return nil, err
		}
		return &Conv{g, choice}, nil
	}
	c, err := h.openClassic(p, choice)
	if err != nil {
		return nil, err
	}
	return &Conv{c, choice}, nil
}

// Run puts the convolution into the handle's stream.
func (c *Conv) Run(o Operands) error {
	if o.WorkspaceBytes < c.choice.WorkspaceBytes {
		return fmt.Errorf("cuDNN needs %d bytes of workspace, there are %d", c.choice.WorkspaceBytes, o.WorkspaceBytes)
	}
	return c.by.run(o)
}

// Close gives up what the convolution holds.
func (c *Conv) Close() { c.by.close() }
