package solve

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// resnet models the problem of a bottleneck ResNet at 224², batch 256, whose
// channels go in the given step: latency in ns from a roofline with tiles
// of 64 channels and 2 % of noise, importance from exponential scores, cumulative.
func resnet(stages []int, step int) *Problem {
	r := seeded(fmt.Sprint("resnet", stages, step))
	p := &Problem{Name: fmt.Sprintf("resnet%v step %d", stages, step), LatencyUnit: "ns", Constant: 3e6}
	p.Blocks = []Block{{ID: 0}}
	group := func(channels int) int {
		id := len(p.Groups)
		n := max(1, channels/step)
		p.Groups = append(p.Groups, Group{ID: id, Options: n + 1, MinOption: 1, MaxOption: n, ChannelsPerOption: channels / n})
		return id
	}
	layer := func(own, prev, block, kernel, size int) {
		p.Layers = append(p.Layers, convolution(r, p, own, prev, block, kernel, size))
	}
	stream := group(64)
	p.Groups[stream].MinOption = p.Groups[stream].MaxOption
	size := 56
	for stage, blocks := range stages {
		in, out := stream, group(256<<stage)
		if stage > 0 {
			size /= 2
		}
		layer(out, in, 0, 1, size)
		for range blocks {
			block := len(p.Blocks)
			p.Blocks = append(p.Blocks, Block{ID: block, Prunable: true})
			first, second := group(64<<stage), group(64<<stage)
			layer(first, in, block, 1, size)
			layer(second, first, block, 3, size)
			layer(out, second, block, 1, size)
			in = out
		}
		stream = out
	}
	return p
}

func convolution(r *rand.Rand, p *Problem, own, prev, block, kernel, size int) Layer {
	l := Layer{Name: fmt.Sprintf("conv%d", len(p.Layers)), Group: own, PrevGroup: prev, Block: block}
	g, h := p.Groups[own], p.Groups[prev]
	scores := make([]float64, g.Options-1)
	for i := range scores {
		for range g.ChannelsPerOption {
			scores[i] += r.ExpFloat64() * 1e6 / math.Sqrt(float64(g.Options*g.ChannelsPerOption))
		}
	}
	slices.SortFunc(scores, func(a, b float64) int { return int(b - a) })
	sum := 0.0
	for o := range g.Options {
		l.Importance = append(l.Importance, int64(sum))
		if o < len(scores) {
			sum += scores[o]
		}
	}
	pixels := 256.0 * float64(size*size)
	for o := range g.Options {
		row := make([]int64, h.Options)
		cout := float64(o * g.ChannelsPerOption)
		for i := range row {
			cin := float64(i * h.ChannelsPerOption)
			compute := 2 * pixels * cin * float64(kernel*kernel) * math.Ceil(cout/64) * 64 / 12e3 // ns at 12 TFLOP/s
			memory := 4 * pixels * (cin + cout) / 600                                             // ns at 600 GB/s
			row[i] = int64((math.Max(compute, memory) + 5e3) * (1 + 0.02*r.Float64()))
		}
		l.Latency.Pair = append(l.Latency.Pair, row)
	}
	return l
}

var (
	resnet50  = []int{3, 4, 6, 3}
	resnet101 = []int{3, 4, 23, 3}
)

// share returns the budget at the given share of the unpruned latency.
func share(p *Problem, part float64) int64 {
	c := newChoiceAll(p)
	_, latency, err := p.Evaluate(c.options, c.blocks)
	if err != nil {
		panic(err)
	}
	return int64(part * float64(latency))
}

// newChoiceAll keeps everything.
func newChoiceAll(p *Problem) choice {
	var c choice
	for _, g := range p.Groups {
		c.options = append(c.options, g.MaxOption)
	}
	for range p.Blocks {
		c.blocks = append(c.blocks, true)
	}
	return c
}

// A deadline in the middle of the proof leaves a configuration within the budget and a true bound.
func TestDeadline(t *testing.T) {
	p := resnet(resnet50, 16)
	budget := share(p, 0.4)
	want, err := Optimum(context.Background(), p, budget, Options{})
	require.NoError(t, err)
	require.Equal(t, Optimal, want.Status)
	for _, limit := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		s, err := Optimum(ctx, p, budget, Options{})
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			continue
		}
		require.LessOrEqual(t, s.Latency, budget)
		require.LessOrEqual(t, s.Objective, want.Objective)
		require.GreaterOrEqual(t, s.Bound, want.Objective)
	}
}

func BenchmarkFine(b *testing.B) {
	for _, c := range []struct {
		name   string
		stages []int
		step   int
	}{{"rn50_step16", resnet50, 16}, {"rn50_step8", resnet50, 8}, {"rn101_step8", resnet101, 8}, {"rn50_step4", resnet50, 4}, {"rn50_step2", resnet50, 2}} {
		b.Run(c.name, func(b *testing.B) {
			p := resnet(c.stages, c.step)
			options := 0
			for _, g := range p.Groups {
				options += g.Options
			}
			for _, part := range []float64{0.3, 0.5, 0.7} {
				budget := share(p, part)
				b.Run(fmt.Sprintf("%.1fx", part), func(b *testing.B) {
					b.ReportAllocs()
					var s Solution
					for b.Loop() {
						var err error
						if s, err = Optimum(context.Background(), p, budget, Options{}); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(options), "options")
					b.ReportMetric(float64(s.Labels), "labels")
				})
			}
		})
	}
}

func BenchmarkFineFront(b *testing.B) {
	for _, step := range []int{32, 16, 8} {
		p := resnet(resnet50, step)
		for _, epsilon := range []float64{0, 1e-3} {
			b.Run(fmt.Sprintf("rn50_step%d/eps%g", step, epsilon), func(b *testing.B) {
				b.ReportAllocs()
				var front []Point
				for b.Loop() {
					var err error
					if front, err = wholeFront(context.Background(), p, Options{Epsilon: epsilon}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(front)), "points")
			})
		}
	}
}
