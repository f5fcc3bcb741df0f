//go:build cuda

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/cuda"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// stepRow is the line of a whole network: a training step on a batch of bytes, with
// the wait for its loss, or a forward pass on what lies on the device.
type stepRow struct {
	Network         string         `json:"network"`
	Mode            string         `json:"mode"` // train or infer
	Precision       cuda.Precision `json:"precision"`
	Storage         engine.Storage `json:"storage,omitempty"` // of activations
	Batch           int            `json:"batch"`
	ProgramBytes    int64          `json:"program_bytes,omitempty"`
	ImagesPerSecond float64        `json:"images_per_s,omitempty"`
	Error           string         `json:"error,omitempty"` // it could not be timed
	bench.Result
}

// stepRows are the lines of a network, to be timed: training and inference in every
// precision and storage, and inference of a single image.
func stepRows(net string, batch int) []timedRow {
	var rows []timedRow
	for _, o := range append(narrow, cuda.Options{Precision: cuda.BFloat16}, cuda.Options{Precision: cuda.Float16}, cuda.Options{Precision: cuda.TF32}, exact) {
		row := func(mode string, batch int) {
			rows = append(rows, &stepRow{Network: net, Mode: mode, Precision: o.Precision, Storage: o.Storage, Batch: batch})
		}
		row("train", batch)
		row("infer", batch)
		if batch > 1 {
			row("infer", 1)
		}
	}
	return rows
}

func (r *stepRow) options() cuda.Options {
	return cuda.Options{Precision: r.Precision, Storage: r.Storage}
}

func (r *stepRow) fail(why string) { r.Error = why }

// measure times the row's network on a backend of its precision.
func (r *stepRow) measure(ctx context.Context, b *cuda.Backend) (err error) {
	g, err := nets.Build(r.Network, nets.Options{})
	if err != nil {
		return err
	}
	classes := g.Shape(g.Len() - 1).C
	o := engine.Options{Mode: engine.Infer, Batch: r.Batch}
	if r.Mode == "train" {
		o = engine.Options{Mode: engine.Train, Batch: r.Batch, Nesterov: true, Bytes: grey(g.Shape(0).C)}
		if g, err = g.WithLoss(0.1); err != nil {
			return err
		}
	}
	p, err := engine.Compile(g, b, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	r.ProgramBytes = p.PeakBytes()
	if err := p.SetWeights(graph.InitWeights(g, 1)); err != nil {
		return err
	}
	run := p.Forward
	if r.Mode == "train" {
		run = trainingStep(p, classes)
	} else if err := p.Infer(make([]float32, r.Batch*classes), noise(r.Batch*g.Shape(0).Size())); err != nil {
		return err
	}
	if r.Result, err = bench.Measure(ctx, kernelRule(), elapsed(run)); err != nil {
		return err
	}
	r.ImagesPerSecond = float64(r.Batch) / float64(r.MedianNS) * 1e9
	return nil
}

// elapsed is how long each run takes.
func elapsed(run func() error) func() (int64, error) {
	return func() (int64, error) {
		start := time.Now()
		err := run()
		return time.Since(start).Nanoseconds(), err
	}
}

// trainingStep runs a step on always the same images.
func trainingStep(p *engine.Program, classes int) func() error {
	n, shape := p.Options().Batch, p.Graph().Shape(0)
	b := engine.Batch{Pixels: engine.MakePixels(n * shape.Size()), Moves: make([]float32, 3*n), Labels: make([]int32, n)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b.Pixels {
		b.Pixels[i] = byte(r.Uint32())
	}
	for i := range b.Labels {
		b.Labels[i] = int32(i % classes)
	}
	return func() error {
		if err := p.Start(b, engine.Hyper{LearningRate: 1e-3, Momentum: 0.9}); err != nil {
			return err
		}
		_, err := p.Metrics()
		return err
	}
}

// grey normalises any image a little.
func grey(channels int) *engine.Bytes {
	b := &engine.Bytes{}
	for range channels {
		b.Mean, b.Scale = append(b.Mean, 0.5), append(b.Scale, 4)
	}
	return b
}

func noise(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}
