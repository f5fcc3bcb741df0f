//go:build cuda

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/cuda"
	"mdp/engine/nets"
)

// trainingCalls is every distinct call of a network's training step, those with
// the most to do first.
func trainingCalls(net string, batch int) ([]engine.Call, error) {
	g, err := nets.Build(net, nets.Options{})
	if err != nil {
		return nil, err
	}
	if g, err = g.WithLoss(0); err != nil {
		return nil, err
	}
	gpu, err := cuda.New(nil, cuda.Options{})
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(g, dryRun{gpu: gpu}, engine.Options{Mode: engine.Train, Batch: batch, Nesterov: true})
	if err != nil {
		return nil, err
	}
	var calls []engine.Call
	seen := map[string]bool{}
	for _, c := range p.Plan().Calls {
		if !seen[c.String()] {
			seen[c.String()] = true
			calls = append(calls, c)
			if both, ok := c.(engine.ConvBatchNorm); ok { // and what others can be compared with
				if c = both.ConvForward; seen[c.String()] {
					continue
				}
				seen[c.String()] = true
				calls = append(calls, c)
			}
			if m, ok := masked(c); ok {
				calls = append(calls, m)
			}
		}
	}
	slices.SortStableFunc(calls, func(a, b engine.Call) int { return cmp.Compare(work(b), work(a)) })
	return calls, nil
}

// dryRun computes nothing, and takes the calls that a GPU does.
type dryRun struct {
	engine.DryRun
	gpu *cuda.Backend
}

func (d dryRun) Supports(c engine.Call) error { return d.gpu.Supports(c) }

// maskChunk is the chunk of channels that masked calls are timed with.
const maskChunk = 32

// masked is a convolution of some width with a mask on either side.
func masked(c engine.Call) (engine.Call, bool) {
	last := engine.None
	for _, o := range c.Operands() {
		last = max(last, o.Buffer)
	}
	conv, _ := engine.ConvOf(c)
	if conv.Groups != 1 || min(conv.C, conv.K) < 2*maskChunk {
		return nil, false
	}
	m := engine.Mask{Chunk: maskChunk, In: last + 1, Out: last + 2}
	switch c := c.(type) {
	case engine.ConvForward:
		return engine.MaskedConvForward{ConvForward: c, Mask: m}, true
	case engine.ConvBackwardData:
		return engine.MaskedConvBackwardData{ConvBackwardData: c, Mask: m}, true
	case engine.ConvBackwardFilter:
		return engine.MaskedConvBackwardFilter{ConvBackwardFilter: c, Mask: m}, true
	}
	return nil, false
}

func isMasked(c engine.Call) bool {
	switch c.(type) {
	case engine.MaskedConvForward, engine.MaskedConvBackwardData, engine.MaskedConvBackwardFilter:
		return true
	}
	return false
}

// maskLists are the mask's operands of a call.
func maskLists(c engine.Call) []engine.Operand {
	if o := c.Operands(); isMasked(c) {
		return o[len(o)-2:]
	}
	return nil
}

// everyOther is a list of so many numbers that leaves every other chunk out.
func everyOther(numbers int) []float32 {
	on := make([]bool, numbers-1)
	for i := range on {
		on[i] = i%2 == 0
	}
	return engine.ChunkList(on)
}

func work(c engine.Call) int64 {
	if conv, ok := engine.ConvOf(c); ok {
		return conv.MACs()
	}
	return 0
}

// kernelRule is nvbench's, cut short: hundreds of calls share a few minutes.
func kernelRule() bench.Rule {
	r := bench.CallRule()
	r.WarmUpNS, r.MinTotalNS, r.MaxRSD, r.TimeoutNS = 20e6, 50e6, 0.01, 1e9
	return r
}

// kernelStand is a plan that runs one call over and over. Before each another
// buffer takes the cache: the call finds its operands in memory.
type kernelStand struct {
	exec      engine.Executor
	latencyNS []int64
	next      int // of latencyNS to hand out
	first     int // where the pairs of flush and call begin
}

const (
	noiseLen = 1 << 16
	repeats  = 4 // of the call in the plan
)

// newKernelStand readies the call on a device with a cache of so many bytes.
func newKernelStand(b *cuda.Backend, c engine.Call, cacheBytes int) (*kernelStand, error) {
	if err := b.Supports(c); err != nil {
		return nil, err
	}
	p := engine.Alone(b, c)
	scratch := p.Workspace[0]
	p.Calls, p.Workspace = nil, nil
	take := func(n int) engine.Buffer {
		p.Spans = append(p.Spans, engine.Span{Offset: p.Len, Len: n})
		p.Len += (n + 15) / 16 * 16
		return engine.Buffer(len(p.Spans) - 1)
	}
	p.Len = max(p.Len, noiseLen)
	filled := p.Len
	for _, o := range maskLists(c) {
		p.Spans[o.Buffer] = p.Spans[take(o.Len)]
	}
	flush := take(max(2*cacheBytes/4, 1))

	// Noise at the start is doubled until it is everywhere: zeros would flatter.
	noise := engine.Buffer(len(p.Spans))
	p.Spans = append(p.Spans, engine.Span{Offset: 0, Len: noiseLen})
	for n := noiseLen; n < filled; n *= 2 {
		length := min(n, filled-n)
		from := engine.Buffer(len(p.Spans))
		p.Spans = append(p.Spans, engine.Span{Offset: 0, Len: length}, engine.Span{Offset: n, Len: length})
		p.Calls = append(p.Calls, engine.Activate{Len: length, Y: from + 1, X: from})
	}
	fill := len(p.Calls)
	for range repeats {
		p.Calls = append(p.Calls, engine.Activate{Len: p.Span(flush).Len, Y: flush, X: flush}, c)
	}
	p.Workspace = make([]engine.Buffer, len(p.Calls))
	for i := fill + 1; i < len(p.Calls); i += 2 {
		p.Workspace[i] = scratch
	}
	exec, err := b.Prepare(p)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", c, err)
	}
	s := &kernelStand{exec: exec, latencyNS: make([]int64, len(p.Calls)), next: repeats, first: fill}
	err = exec.Write(noise, noiseFor(b.Info().Storage))
	for _, o := range maskLists(c) {
		err = errors.Join(err, exec.Write(o.Buffer, everyOther(o.Len)))
	}
	if err != nil {
		return nil, errors.Join(err, exec.Close())
	}
	return s, nil
}

// noiseFor memory of a kind: pairs of 16 bits are float32 as well, small and not zero.
func noiseFor(storage engine.Storage) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	words, values := make([]float32, noiseLen), make([]float32, noiseLen)
	if storage != engine.Float32 {
		values = append(values, values...)
	}
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	storage.Encode(words, values)
	return words
}

// sample is the next of the times that a run of the plan gave.
func (s *kernelStand) sample() (int64, error) {
	if s.next == repeats {
		s.next = 0
		if err := s.exec.Time(s.latencyNS); err != nil {
			return 0, err
		}
	}
	s.next++
	return s.latencyNS[s.first+2*s.next-1], nil
}
