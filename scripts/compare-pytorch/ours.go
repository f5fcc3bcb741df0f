package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"time"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// ours is a work made ready on the CPU backend.
type ours struct {
	run   func() error
	close func() error
}

func prepare(w work) (*ours, error) {
	b, err := cpu.New(cpu.Options{Threads: w.Threads, Precision: w.Precision})
	if err != nil {
		return nil, err
	}
	if w.Net == "" {
		return prepareConv(b, w)
	}
	return prepareNet(b, w)
}

func (o *ours) sample(times int) (int64, error) {
	start := time.Now()
	for range times {
		if err := o.run(); err != nil {
			return 0, err
		}
	}
	return time.Since(start).Nanoseconds(), nil
}

// prepareConv makes a plan of one call. Its filter counts as one that changes, as PyTorch's does.
func prepareConv(b engine.Backend, w work) (*ours, error) {
	const x, y, f engine.Buffer = 1, 2, 3
	var c engine.Call
	switch w.Direction {
	case "forward":
		c = engine.ConvForward{Conv: w.conv(), Y: y, X: x, W: f}
	case "input":
		c = engine.ConvBackwardData{Conv: w.conv(), DX: x, DY: y, W: f}
	default:
		c = engine.ConvBackwardFilter{Conv: w.conv(), DW: f, DY: y, X: x}
	}
	e, err := b.Prepare(engine.Alone(b, c))
	if err != nil {
		return nil, err
	}
	for _, o := range c.Operands() {
		if err := e.Write(o.Buffer, noise(o.Len)); err != nil {
			return nil, err
		}
	}
	return &ours{func() error { return e.Run(0, 1) }, e.Close}, nil
}

func prepareNet(b engine.Backend, w work) (*ours, error) {
	g, err := nets.Build(w.Net, nets.Options{Input: graph.Shape{H: w.Side, W: w.Side, C: 3}})
	if err != nil {
		return nil, err
	}
	mode := engine.Infer
	if w.Training {
		mode = engine.Train
		if g, err = g.WithLoss(0.1); err != nil {
			return nil, err
		}
	}
	p, err := engine.Compile(g, b, engine.Options{Mode: mode, Batch: w.N})
	if err != nil {
		return nil, err
	}
	if err := p.SetWeights(graph.InitWeights(g, 1)); err != nil {
		return nil, err
	}
	x := noise(w.N * g.Shape(0).Size())
	if w.Training {
		labels := make([]int32, w.N)
		for i := range labels {
			labels[i] = int32(i % 10)
		}
		return &ours{func() error {
			_, err := p.Step(x, labels, engine.Hyper{LearningRate: 1e-3, Momentum: 0.9})
			return err
		}, p.Close}, nil
	}
	logits := make([]float32, w.N*g.Shape(g.Len()-1).Size())
	return &ours{func() error { return p.Infer(logits, x) }, p.Close}, nil
}

func noise(n int) []float32 {
	x, r := make([]float32, n), rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = r.Float32() - 0.5
	}
	return x
}

// printPeak runs a row's work and prints the largest resident set that this process had, in KiB.
func printPeak(all []row, name string) error {
	i := slices.IndexFunc(all, func(r row) bool { return r.name == name })
	if i < 0 {
		return fmt.Errorf("there is no row %q", name)
	}
	o, err := prepare(all[i].works[0])
	if err != nil {
		return err
	}
	if _, err := o.sample(steps); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return errors.New("/proc/self/status tells no VmHWM")
	}
	fmt.Println(string(m[1]))
	return o.close()
}
