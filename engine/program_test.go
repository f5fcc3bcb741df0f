package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

func backend(t testing.TB, threads int) *cpu.Backend {
	b, err := cpu.New(cpu.Options{Threads: threads})
	require.NoError(t, err)
	return b
}

// network builds a small network of the zoo that ends in a loss.
func network(t testing.TB, name string, side int, width float64) *graph.Graph {
	g, err := nets.Build(name, nets.Options{Classes: 7, Input: graph.Shape{H: side, W: side, C: 3}, Width: width})
	require.NoError(t, err)
	g, err = g.WithLoss(0.1)
	require.NoError(t, err)
	return g
}

func small(t testing.TB) map[string]*graph.Graph {
	return map[string]*graph.Graph{
		"resnet8-cifar": network(t, "resnet8-cifar", 9, 0.5),
		"resnet18":      network(t, "resnet18", 33, 0.125),
		"resnet50":      network(t, "resnet50", 33, 0.125),
		"mobilenet_v2":  network(t, "mobilenet_v2", 33, 0.25),
		"vgg11_bn":      network(t, "vgg11_bn", 32, 0.0625),
		"gates":         gates(t),
	}
}

// gates is a network of what imported ones have beyond the zoo: swishes,
// squeeze-excitation, concatenation of what is read elsewhere too, a grouped
// convolution, a scale, a square.
func gates(t testing.TB) *graph.Graph {
	one := func(out, groups int) graph.Conv2D {
		return graph.Conv2D{Out: out, Kernel: [2]int{1, 1}, Groups: groups, Bias: true}
	}
	b := graph.NewBuilder("gates", graph.Shape{H: 9, W: 7, C: 3})
	excite := func(name, x string, channels int, gate func(x string) string) string {
		s := b.Op(graph.OpGlobalAvgPool, name+".squeeze", x)
		s = b.Op(graph.OpSiLU, name+".silu", b.Conv2D(name+".fc1", s, one(3, 1)))
		return b.Op(graph.OpMul, name+".mul", gate(b.Conv2D(name+".fc2", s, one(channels, 1))), x)
	}
	x := b.BatchNorm("bn1", b.Conv2D("conv1", "input", graph.Conv2D{Out: 8, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}))
	x = b.Op(graph.OpHardSwish, "swish", x)
	y := b.Op(graph.OpSiLU, "silu", b.BatchNorm("bn2", b.Conv2D("conv2", x, one(8, 4))))
	y = excite("se1", y, 8, func(x string) string { return b.HardSigmoid("hard", x) })
	x = b.Op(graph.OpConcat, "concat", x, y, b.Op(graph.OpMul, "square", x, x))
	x = excite("se2", x, 24, func(x string) string { return b.Op(graph.OpSigmoid, "sigmoid", x) })
	x = b.Op(graph.OpAdd, "add", b.Conv2D("conv3", x, one(24, 1)), x)
	x = b.Clip("clip", b.Op(graph.OpScale, "scale", x), -2, 3)
	y = b.Op(graph.OpFlatten, "flatten", b.Pool(graph.OpAvgPool, "pool", x, graph.Pool{Kernel: [2]int{3, 3}, Pad: [4]int{0, 0, 1, 2}}))
	x = b.Op(graph.OpConcat, "heads", y, b.Op(graph.OpGlobalAvgPool, "mean", x))
	b.Linear("fc", x, 7)
	g, err := b.Build()
	require.NoError(t, err)
	g, err = g.WithLoss(0.1)
	require.NoError(t, err)
	return g
}

// batch draws images and labels.
func batch(g *graph.Graph, n int, seed uint64) (images []float32, labels []int32) {
	r := rand.New(rand.NewPCG(seed, 1))
	images, labels = make([]float32, n*g.Shape(0).Size()), make([]int32, n)
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	for i := range labels {
		labels[i] = int32(r.IntN(7))
	}
	return images, labels
}

func train(t testing.TB, g *graph.Graph, threads, n int) *engine.Program {
	p, err := engine.Compile(g, backend(t, threads), engine.Options{Mode: engine.Train, Batch: n})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	require.NoError(t, p.SetWeights(graph.InitWeights(g, 3)))
	return p
}

// TestPlan follows who wrote each piece of memory last: a call that reads a
// buffer must find what was written to that buffer, not to one that shares its place.
func TestPlan(t *testing.T) {
	for name, g := range small(t) {
		for _, mode := range []engine.Mode{engine.Train, engine.Infer} {
			t.Run(fmt.Sprintf("%s/%s", name, mode), func(t *testing.T) {
				p, err := engine.Compile(g, backend(t, 2), engine.Options{Mode: mode, Batch: 4})
				require.NoError(t, err)
				defer p.Close()
				plan := p.Plan()
				require.Equal(t, mode == engine.Infer, plan.LaneLen > 0, "slices of a batch are for inference")
				owner := map[bool][]engine.Buffer{false: make([]engine.Buffer, plan.Len), true: make([]engine.Buffer, plan.LaneLen)}
				written := map[engine.Buffer]bool{}
				for i, c := range plan.Calls {
					if b := plan.Workspace[i]; b != engine.None {
						for j := range plan.Span(b).Len {
							owner[plan.Span(b).Lane][plan.Span(b).Offset+j] = b
						}
					}
					for _, o := range c.Operands() {
						s := plan.Span(o.Buffer)
						require.Zero(t, s.Offset%16, "%v: operand %s is not aligned", c, o.Name)
						require.LessOrEqual(t, s.Offset+s.Len, len(owner[s.Lane]))
						for j := range s.Len {
							at := &owner[s.Lane][s.Offset+j]
							if o.Read && written[o.Buffer] && *at != o.Buffer {
								t.Fatalf("%v: operand %s, element %d, was overwritten by buffer %d", c, o.Name, j, *at)
							}
						}
					}
					for _, o := range c.Operands() {
						if _, update := c.(engine.SGD); o.Write && !update {
							written[o.Buffer] = true
							s := plan.Span(o.Buffer)
							for j := range s.Len {
								owner[s.Lane][s.Offset+j] = o.Buffer
							}
						}
					}
				}
				sum := 0
				for _, s := range plan.Spans {
					sum += s.Len
				}
				require.Less(t, plan.Len+plan.LaneLen, sum, "no memory is shared")
			})
		}
	}
}

// TestGradient compares each network's whole gradient with the slope of its
// loss along a random direction, by central differences.
func TestGradient(t *testing.T) {
	const n = 8
	for name, g := range small(t) {
		t.Run(name, func(t *testing.T) {
			p := train(t, g, 2, n)
			images, labels := batch(g, n, 7)
			w := graph.InitWeights(g, 3)
			_, err := p.Gradient(images, labels)
			require.NoError(t, err)
			grads, err := p.Gradients()
			require.NoError(t, err)

			r := rand.New(rand.NewPCG(5, 5))
			direction := map[string][]float64{}
			norm, slope := 0.0, 0.0
			for _, q := range g.Params() { // in a fixed order, for a fixed direction
				if !q.Role.Learned() {
					continue
				}
				gd := grads.Data(q.Name)
				d := make([]float64, len(gd))
				for i := range d {
					// Along the gradient's own signs, so that the slope is far above float32's noise.
					d[i] = math.Copysign(math.Abs(r.NormFloat64()), float64(gd[i]))
					norm += d[i] * d[i]
				}
				direction[q.Name] = d
			}
			for name, d := range direction {
				for i, v := range grads.Data(name) {
					d[i] /= math.Sqrt(norm)
					slope += float64(v) * d[i]
				}
			}
			loss := func(eps float64) float64 {
				moved := w.Clone()
				for name, d := range direction {
					for i := range d {
						moved.Data(name)[i] += float32(eps * d[i])
					}
				}
				require.NoError(t, p.SetWeights(moved))
				m, err := p.Gradient(images, labels)
				require.NoError(t, err)
				return m.Loss / n
			}
			const eps = 2e-4
			numeric := (loss(eps) - loss(-eps)) / (2 * eps)
			if !(math.Abs(numeric-slope) <= 0.01*math.Abs(slope)) {
				t.Fatalf("slope by differences %g, by the gradient %g", numeric, slope)
			}
		})
	}
}

// TestStepIsDeterministic: the same weights, bit for bit, on every run and for
// any number of threads.
func TestStepIsDeterministic(t *testing.T) {
	for name, g := range small(t) {
		t.Run(name, func(t *testing.T) {
			var first graph.Weights
			for _, threads := range []int{1, 2, 3, 2} {
				p := train(t, g, threads, 5)
				for step := range 3 {
					images, labels := batch(g, 5, uint64(step))
					_, err := p.Step(images, labels, engine.Hyper{LearningRate: 0.1, Momentum: 0.9, WeightDecay: 1e-4})
					require.NoError(t, err)
				}
				w, err := p.Weights()
				require.NoError(t, err)
				if first == nil {
					first = w
					continue
				}
				for name := range first {
					require.Equal(t, first.Data(name), w.Data(name), "%s with %d threads", name, threads)
				}
			}
		})
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	g := network(t, "resnet8-cifar", 9, 0.5)
	p := train(t, g, 2, 4)
	images, labels := batch(g, 4, 1)
	require.Zero(t, testing.AllocsPerRun(5, func() {
		if _, err := p.Step(images, labels, engine.Hyper{LearningRate: 0.01}); err != nil {
			panic(err)
		}
	}))
}

// TestEvaluateIgnoresFilling: rows with a negative label count for nothing.
func TestEvaluateIgnoresFilling(t *testing.T) {
	g := network(t, "resnet8-cifar", 9, 0.5)
	metrics := func(n, filling int) engine.Metrics {
		p, err := engine.Compile(g, backend(t, 2), engine.Options{Mode: engine.Infer, Batch: n + filling})
		require.NoError(t, err)
		defer p.Close()
		require.NoError(t, p.SetWeights(graph.InitWeights(g, 3)))
		images, labels := batch(g, n+filling, 1)
		full, fullLabels := batch(g, 8, 1)
		copy(images, full[:n*g.Shape(0).Size()])
		copy(labels, fullLabels[:n])
		for i := n; i < n+filling; i++ {
			labels[i] = -1
		}
		m, err := p.Evaluate(images, labels)
		require.NoError(t, err)
		return m
	}
	want, got := metrics(5, 0), metrics(5, 3)
	require.Equal(t, want.Top1, got.Top1)
	require.Equal(t, want.Top5, got.Top5)
	require.InDelta(t, want.Loss, got.Loss, 1e-4)
}

func TestCompileRefuses(t *testing.T) {
	g := network(t, "resnet8-cifar", 9, 0.5)
	logits, err := g.WithoutLoss()
	require.NoError(t, err)
	b := backend(t, 1)
	for want, try := range map[string]func() error{
		"batch 0 must be 1..65536": func() error {
			_, err := engine.Compile(g, b, engine.Options{Mode: engine.Train})
			return err
		},
		`softmax "p" is for inference`: func() error {
			b := graph.NewBuilder("p", graph.Shape{H: 1, W: 1, C: 4})
			b.Op(graph.OpSoftmax, "p", b.Linear("fc", "input", 3))
			g, err := b.Build()
			require.NoError(t, err)
			g, err = g.WithLoss(0)
			require.NoError(t, err)
			_, err = engine.Compile(g, backend(t, 1), engine.Options{Mode: engine.Train, Batch: 1})
			return err
		},
		"ends in a loss": func() error {
			_, err := engine.Compile(logits, b, engine.Options{Mode: engine.Train, Batch: 1})
			return err
		},
		"unknown mode": func() error { _, err := engine.Compile(g, b, engine.Options{Mode: "x", Batch: 1}); return err },
		`"nobody" is not`: func() error {
			_, err := engine.Compile(g, b, engine.Options{Mode: engine.Train, Batch: 1, Score: [][]string{{"nobody"}}})
			return err
		},
		"do not make a batch of 2": func() error {
			p := train(t, g, 1, 2)
			_, err := p.Step(make([]float32, 3), make([]int32, 2), engine.Hyper{})
			return err
		},
		"bn1.weight has shape [5], the graph needs [8]": func() error {
			w := graph.InitWeights(g, 1)
			w["bn1.weight"] = graph.NewTensor(5)
			return train(t, g, 1, 2).SetWeights(w)
		},
	} {
		t.Run(want, func(t *testing.T) {
			require.ErrorContains(t, try(), want)
		})
	}
}

// TestCompileTooLarge: a batch that no machine can hold is an error, not the end
// of the program.
func TestCompileTooLarge(t *testing.T) {
	g := network(t, "resnet50", 224, 1)
	_, err := engine.Compile(g, backend(t, 1), engine.Options{Mode: engine.Train, Batch: 1 << 16})
	require.ErrorContains(t, err, "use a smaller batch")
}
