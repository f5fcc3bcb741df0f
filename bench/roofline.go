package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"mdp/engine"
	"mdp/engine/graph"
)

// Work is what a call cannot do without. FLOP are the two of each
// multiply-accumulate of a convolution or linear layer; other calls are taken to
// be free to compute and bound by memory. Bytes count every operand once, and
// twice where it is read and written.
type Work struct {
	FLOP  int64 `json:"flop"`
	Bytes int64 `json:"bytes"`
}

// WorkOf a call whose activations lie in memory so; of a masked one with every channel on.
func WorkOf(c engine.Call, storage engine.Storage) Work {
	var w Work
	if conv, ok := c.(interface{ MACs() int64 }); ok { // masked or not, in every direction
		w.FLOP = 2 * conv.MACs()
	}
	for _, o := range c.Operands() {
		words := o.Len
		if o.Activation {
			words = storage.Words(o.Len)
		}
		if o.Read {
			w.Bytes += 4 * int64(words)
		}
		if o.Write {
			w.Bytes += 4 * int64(words)
		}
	}
	return w
}

// Ceilings are the most that a device reached in calls that are made to be easy for it.
type Ceilings struct {
	FLOPS     float64     `json:"flop_per_s"`
	Bandwidth []Bandwidth `json:"bandwidth"` // by size, smallest first
}

// Bandwidth is what calls reached that touch so many bytes again and again: those
// that fit into a cache find them there.
type Bandwidth struct {
	Bytes     int64   `json:"bytes"`
	PerSecond float64 `json:"bytes_per_s"`
}

// bandwidth for so many bytes, between those measured in proportion to the logarithm.
func (c Ceilings) bandwidth(bytes int64) float64 {
	above, found := slices.BinarySearchFunc(c.Bandwidth, bytes, func(b Bandwidth, bytes int64) int { return cmp.Compare(b.Bytes, bytes) })
	if found || above == 0 {
		return c.Bandwidth[above].PerSecond
	}
	if above == len(c.Bandwidth) {
		return c.Bandwidth[above-1].PerSecond
	}
	lo, hi := c.Bandwidth[above-1], c.Bandwidth[above]
	share := math.Log(float64(bytes)/float64(lo.Bytes)) / math.Log(float64(hi.Bytes)/float64(lo.Bytes))
	return lo.PerSecond + share*(hi.PerSecond-lo.PerSecond)
}

// Bound is the least time in ns that the work takes under the ceilings (the
// roofline of Williams, Waterman and Patterson, CACM 52(4), 2009), and whether
// memory is what takes it. It touches so many bytes at a time.
func (c Ceilings) Bound(w Work, atATime int64) (ns float64, memory bool) {
	compute := 1e9 * float64(w.FLOP) / c.FLOPS
	move := 1e9 * float64(w.Bytes) / c.bandwidth(atATime)
	return max(compute, move), move > compute
}

// A Roofline is a program's calls, in order, beside the ceilings that were
// measured in turn with them.
type Roofline struct {
	Ceilings Ceilings `json:"ceilings"`
	Samples  int      `json:"samples"` // that each latency is the median of
	Calls    []Roof   `json:"calls"`
}

// Roof is one call under its roof.
type Roof struct {
	Layer string `json:"layer"` // the node whose operation it is; "" of a call that serves all
	Call  string `json:"call"`
	Work
	LatencyNS int64   `json:"latency_ns"`
	BoundNS   float64 `json:"bound_ns"`
	Memory    bool    `json:"memory_bound"`
}

// Share of the bound that the call reaches.
func (r Roof) Share() float64 { return r.BoundNS / float64(max(r.LatencyNS, 1)) }

// MeasureRoofline compiles g, gives it random weights and images, and times its
// calls where they stand, the ceilings in turn with them, so that the machine's
// pace is that of both.
func MeasureRoofline(ctx context.Context, b engine.Backend, g *graph.Graph, o engine.Options, rule Rule) (r Roofline, err error) {
	p, err := engine.Compile(g, b, o)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := ready(p); err != nil {
		return r, err
	}
	easy, err := newEasy(b)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, easy.exec.Close()) }()
	calls := p.Plan().Calls
	latencyNS, samples := make([]int64, len(calls)), make([][]int64, len(calls))
	var took time.Duration
	measured, err := Measure(ctx, rule, func() (sumNS int64, err error) {
		if easy.took <= took { // half of the time is theirs
			if err := easy.time(); err != nil {
				return 0, err
			}
		}
		start := time.Now()
		for range 2 { // the first finds the caches full of what is easy
			if err := p.Time(latencyNS); err != nil {
				return 0, fmt.Errorf("time %s: %w", g.Name(), err)
			}
		}
		took += time.Since(start)
		for i, ns := range latencyNS {
			samples[i] = append(samples[i], ns)
			sumNS += ns
		}
		return sumNS, nil
	})
	if err != nil {
		return r, err
	}
	r.Samples = len(measured.SamplesNS) // what came before was the warm-up
	r.Ceilings = easy.ceilings()
	for i, c := range calls {
		roof := Roof{Call: c.String(), Work: WorkOf(c, b.Info().Storage), LatencyNS: Summarise(samples[i][len(samples[i])-r.Samples:]).MedianNS}
		if nodes := p.Nodes(i); len(nodes) > 0 {
			roof.Layer = g.Node(nodes[0]).Name
		}
		atATime := roof.Bytes
		if p.Plan().Stage(i).Images < o.Batch {
			atATime = int64(p.Plan().Lanes) * WorkOf(p.Plan().Slice(i), b.Info().Storage).Bytes
		}
		roof.BoundNS, roof.Memory = r.Ceilings.Bound(roof.Work, atATime)
		r.Calls = append(r.Calls, roof)
	}
	return r, nil
}

// ready runs the program once on noise.
func ready(p *engine.Program) error {
	g, batch := p.Graph(), p.Options().Batch
	if err := p.SetWeights(graph.InitWeights(g, 1)); err != nil {
		return err
	}
	images, rng := make([]float32, batch*g.Shape(0).Size()), rand.New(rand.NewPCG(1, 2))
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	if p.Options().Mode == engine.Train {
		_, err := p.Step(images, make([]int32, batch), engine.Hyper{})
		return err
	}
	return p.Infer(make([]float32, batch*g.Shape(g.Len()-1).Size()), images)
}
