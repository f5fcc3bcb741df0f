//go:build cuda

package cudnn

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"mdp/engine"
	"mdp/engine/cuda"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/cu"
)

// Deployed is cuDNN in the place of our forward convolutions, to time them: images and
// filters are of either layout, and whoever reads the numbers reads them in NHWC. Of
// each configuration the best algorithm is found once, on the memory it is timed on.
type Deployed struct {
	library        *Library
	gpu            *cu.Device
	precision      Precision
	layout         Layout
	handle         *Handle
	workspace      driver.Pointer
	workspaceBytes int64
	choices        map[string]Choice // by the call's String
}

var _ cuda.Library = (*Deployed)(nil)

// Deploy loads cuDNN on a GPU. Where there is none the error is ErrNone.
func Deploy(gpu *cu.Device, precision Precision, layout Layout) (*Deployed, error) {
	l, err := Open()
	if err != nil {
		return nil, err
	}
	d := &Deployed{library: l, gpu: gpu, precision: precision, layout: layout, choices: map[string]Choice{}}
	d.workspaceBytes = min(1<<30, gpu.Info().MemoryBytes/8)
	if err := gpu.Do(func() (err error) { d.handle, err = l.NewHandle(gpu.Stream()); return err }); err != nil {
		return nil, err
	}
	if d.workspace, err = gpu.Alloc(d.workspaceBytes); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Name is such as "cuDNN 9.12.0", or "cuDNN 9.12.0 NCHW".
func (d *Deployed) Name() string {
	name := "cuDNN " + d.library.Version()
	if d.layout == NCHW {
		name += " NCHW"
	}
	return name
}

// Close gives up the handle and the workspace.
func (d *Deployed) Close() error {
	err := d.gpu.Do(d.handle.Close)
	if d.workspace != 0 {
		err = errors.Join(err, d.gpu.Free(d.workspace))
	}
	return err
}

// Conv readies a call. The first run finds how.
func (d *Deployed) Conv(c engine.ConvForward, at func(engine.Buffer) driver.Pointer) (cuda.LibraryConv, error) {
	p := Problem{Conv: c.Conv, Layout: d.layout, Precision: d.precision, Bias: c.B != engine.None, Add: c.Z != engine.None, Act: c.Act}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &deployedConv{on: d, key: c.String(), problem: p, operands: Operands{X: at(c.X), W: at(c.W), Y: at(c.Y), Z: at(c.Z), B: at(c.B),
		Workspace: d.workspace, WorkspaceBytes: d.workspaceBytes}}, nil
}

type deployedConv struct {
	on       *Deployed
	key      string
	problem  Problem
	operands Operands
	choice   Choice
	conv     *Conv // nil before the first run
}

func (c *deployedConv) Run() error {
	return c.on.gpu.Do(func() error {
		if c.conv == nil {
			if err := c.find(); err != nil {
				return err
			}
		}
		return c.conv.Run(c.operands)
	})
}

func (c *deployedConv) find() (err error) {
	choice, ok := c.on.choices[c.key]
	if !ok {
		if choice, err = c.on.handle.Find(c.problem, c.operands, c.on.stopwatch); err != nil {
			return err
		}
		c.on.choices[c.key] = choice
	}
	c.choice = choice
	c.conv, err = c.on.handle.Conv(c.problem, choice)
	return err
}

// stopwatch is the median of a few runs, after one that warms up.
func (d *Deployed) stopwatch(run func() error) (latencyNS int64, err error) {
	const runs = 5
	t, err := d.gpu.NewTimer(runs + 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if err := errors.Join(run(), t.Mark(0)); err != nil {
		return 0, err
	}
	for i := range runs {
		if err := errors.Join(run(), t.Mark(i+1)); err != nil {
			return 0, err
		}
	}
	var all [runs]int64
	if err := t.NS(all[:]); err != nil {
		return 0, err
	}
	slices.Sort(all[:])
	return all[runs/2], nil
}

// How is the choice as JSON, "" before the first run.
func (c *deployedConv) How() string {
	if c.conv == nil {
		return ""
	}
	text, err := json.Marshal(c.choice)
	if err != nil {
		panic(fmt.Sprintf("cudnn: %v", err)) // of numbers and strings
	}
	return string(text)
}

func (c *deployedConv) Close() error {
	if c.conv == nil {
		return nil
	}
	return c.on.gpu.Do(func() error { c.conv.Close(); return nil })
}
