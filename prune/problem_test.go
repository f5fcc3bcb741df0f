package prune

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/prune/solve"
)

func space(t *testing.T, name string, step int) (*Space, graph.Weights) {
	side := 33
	if name == "resnet14-cifar" {
		side = 12
	}
	g, err := nets.Build(name, nets.Options{Classes: 5, Input: graph.Shape{H: side, W: side, C: 3}, Width: 0.25})
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	p, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: 2})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	c, err := Couple(g)
	require.NoError(t, err)
	return NewSpace(p, c, step), graph.InitWeights(g, 1)
}

func keys(calls []engine.Call) []string {
	var k []string
	for _, c := range calls {
		k = append(k, c.String())
	}
	slices.Sort(k)
	return k
}

// TestProblemPredictsExtractedCalls: the cells that the solver adds up are the
// very calls that the extracted network runs.
func TestProblemPredictsExtractedCalls(t *testing.T) {
	for _, name := range []string{"resnet14-cifar", "resnet50", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "vgg11_bn"} {
		t.Run(name, func(t *testing.T) {
			s, w := space(t, name, 3)
			reachable := map[string]bool{}
			for _, c := range s.Configurations() {
				reachable[c.String()] = true
			}
			scores := RandomScores(s.Program.Graph(), s.Coupling, 1)
			r := rand.New(rand.NewPCG(1, 2))
			for range 5 {
				solution := solve.Solution{Options: make([]int, len(s.Step)), BlocksOn: make([]bool, len(s.Coupling.Blocks)+1)}
				for i := range solution.Options {
					solution.Options[i] = s.lowest(i) + r.IntN(s.options(i)-s.lowest(i)+1)
				}
				for i := range solution.BlocksOn {
					solution.BlocksOn[i] = true
				}
				var cells []engine.Call
				for _, p := range s.pieces() {
					c, weight := s.cell(p, solution.Options[p.own], solution.Options[p.prev])
					require.EqualValues(t, 1, weight)
					cells = append(cells, c)
				}
				choice, err := s.Choice(scores, solution)
				require.NoError(t, err)
				small, _, err := Extract(s.Program.Graph(), w, s.Coupling, choice)
				require.NoError(t, err)
				b, err := cpu.New(cpu.Options{})
				require.NoError(t, err)
				p, err := engine.Compile(small, b, s.Program.Options())
				require.NoError(t, err)
				require.Equal(t, keys(p.Plan().Calls), keys(cells))
				require.NoError(t, p.Close())
				for _, k := range keys(cells) {
					require.True(t, reachable[k], "%s is not among the configurations to measure", k)
				}
			}
		})
	}
}

// TestProblemImportance: with unit latencies everything fits, and the importance
// of the whole network is the unit it is scaled to; each member counts once.
func TestProblemImportance(t *testing.T) {
	for _, name := range []string{"resnet14-cifar", "resnet50", "mobilenet_v2", "vgg11_bn"} {
		t.Run(name, func(t *testing.T) {
			s, _ := space(t, name, 0)
			scores := RandomScores(s.Program.Graph(), s.Coupling, 1)
			p, err := s.Problem(scores, func(engine.Call) (int64, bool) { return 1, true })
			require.NoError(t, err)
			objective, latency, err := p.Evaluate(p.Dense())
			require.NoError(t, err)
			require.InDelta(t, importanceUnits, objective, float64(len(p.Layers)), "rounding of each layer")
			require.EqualValues(t, len(p.Layers), latency)

			_, err = s.Problem(scores, func(c engine.Call) (int64, bool) { return 1, false })
			require.ErrorContains(t, err, "no row for")
		})
	}
}

// TestChoiceKeepsTheBest: a group keeps the channels whose members' scores sum highest.
func TestChoiceKeepsTheBest(t *testing.T) {
	s, _ := space(t, "resnet14-cifar", 2)
	g := s.Program.Graph()
	scores := RandomScores(g, s.Coupling, 9)
	solution := solve.Solution{Options: make([]int, len(s.Step)), BlocksOn: make([]bool, len(s.Coupling.Blocks)+1)}
	for i := range solution.Options {
		solution.Options[i] = s.lowest(i)
	}
	choice, err := s.Choice(scores, solution)
	require.NoError(t, err)
	for i, members := range Members(g, s.Coupling) {
		sum := make([]float64, s.Coupling.Groups[i].Channels)
		for _, m := range members {
			for c, v := range scores.Members[m] {
				sum[c] += float64(v)
			}
		}
		for c, v := range sum {
			for _, k := range choice.Keep[i] {
				if !slices.Contains(choice.Keep[i], c) {
					require.GreaterOrEqual(t, sum[k], v, "group %d keeps %d instead of %d", i, k, c)
				}
			}
		}
	}
}

// TestTaylorScores compares the gathered importance with the formula on the
// gradients that the same batches give: sum the signed terms of a group's
// members inside the absolute value, then share by size.
func TestTaylorScores(t *testing.T) {
	s, w := space(t, "resnet14-cifar", 0)
	g, err := s.Program.Graph().WithLoss(0)
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	members := Members(g, s.Coupling)
	const n, batches = 4, 3
	p, err := engine.Compile(g, b, engine.Options{Mode: engine.Train, Batch: n, Score: members})
	require.NoError(t, err)
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 3))
	for _, name := range []string{"bn1", "layer1.0.bn2"} { // γ = 1 and β = 0 would hide a mistake
		for i := range w.Data(name + ".weight") {
			w.Data(name + ".weight")[i] = float32(1 + 0.5*r.NormFloat64())
			w.Data(name + ".bias")[i] = float32(r.NormFloat64())
		}
	}
	require.NoError(t, p.SetWeights(w))
	want := map[string][]float64{}
	images, labels := make([]float32, n*g.Shape(0).Size()), make([]int32, n)
	for range batches {
		for i := range images {
			images[i] = float32(r.NormFloat64())
		}
		for i := range labels {
			labels[i] = int32(r.IntN(5))
		}
		_, err := p.Gradient(images, labels)
		require.NoError(t, err)
		grads, err := p.Gradients()
		require.NoError(t, err)
		for _, group := range members {
			if len(group) == 0 {
				continue
			}
			signed := map[string][]float64{}
			for _, m := range group {
				signed[m] = signedTerms(g, w, grads, m)
				if want[m] == nil {
					want[m] = make([]float64, len(signed[m]))
				}
			}
			for c := range signed[group[0]] {
				sum, size := 0.0, 0.0
				for _, m := range group {
					sum += signed[m][c]
					size += abs(signed[m][c])
				}
				for _, m := range group {
					if size > 0 {
						want[m][c] += abs(sum) * abs(signed[m][c]) / size / batches
					}
				}
			}
		}
	}
	got, err := TaylorScores(p, batches)
	require.NoError(t, err)
	require.Len(t, got.Members, len(want))
	for m := range want {
		for c := range want[m] {
			require.InDelta(t, want[m][c], got.Members[m][c], 1e-5*(1+want[m][c]), "%s channel %d", m, c)
		}
	}
}

func signedTerms(g *graph.Graph, w, grads graph.Weights, name string) []float64 {
	i, _ := g.Index(name)
	s := make([]float64, g.Shape(i).C)
	suffixes := []string{".weight"}
	if g.Node(i).Op == graph.OpBatchNorm {
		suffixes = append(suffixes, ".bias")
	}
	for _, suffix := range suffixes {
		d, v := grads.Data(name+suffix), w.Data(name+suffix)
		for j := range d {
			s[j/(len(d)/len(s))] += float64(d[j]) * float64(v[j])
		}
	}
	return s
}

func abs(x float64) float64 { return max(x, -x) }

// TestPiecesAddUp: where latency grows in proportion to channels, what the solver
// adds up over the pieces is what the extracted network takes, whatever is cut;
// and on any latencies it is what the dense network takes.
func TestPiecesAddUp(t *testing.T) {
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	proportional := func(c engine.Call) (int64, bool) {
		switch c := c.(type) {
		case engine.ConvForward:
			return 1000 * c.MACs(), true
		case engine.CopyChannels:
			return int64(1000 * c.Rows * c.C), true
		}
		return int64(1000 * c.Operands()[0].Len), true
	}
	crooked := func(c engine.Call) (int64, bool) {
		v, _ := proportional(c)
		return v + int64(len(c.String())) + v*v%1009, true
	}
	r := randFor(t.Name())
	concatenated := 0
	for _, net := range testNets(t, 60)[len(nets.List()):] {
		g := net.g
		program, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: 2})
		require.NoError(t, err)
		c, err := Couple(g)
		require.NoError(t, err)
		s := NewSpace(program, c, 2)
		scores := RandomScores(g, c, 1)
		total := func(p *engine.Program, latency func(engine.Call) (int64, bool)) (sum int64) {
			for _, c := range p.Plan().Calls {
				ns, _ := latency(c)
				sum += ns
			}
			return sum
		}
		on := slices.Repeat([]bool{true}, len(c.Blocks)+1)
		problem, err := s.Problem(scores, proportional)
		require.NoError(t, err, net.name)
		slack := float64(len(problem.Layers))
		for range 3 {
			options := make([]int, len(c.Groups))
			for i := range options {
				options[i] = s.lowest(i) + r.IntN(s.options(i)-s.lowest(i)+1)
			}
			choice, err := s.Choice(scores, solve.Solution{Options: options, BlocksOn: on})
			require.NoError(t, err, net.name)
			small, err := ExtractGraph(g, c, choice)
			require.NoError(t, err, net.name)
			p, err := engine.Compile(small, b, program.Options())
			require.NoError(t, err, net.name)
			_, have, err := problem.Evaluate(options, on)
			require.NoError(t, err, net.name)
			require.InDelta(t, total(p, proportional), have, slack, net.name)
			require.NoError(t, p.Close())
		}
		dense := make([]int, len(c.Groups))
		for i := range dense {
			dense[i] = s.options(i)
		}
		problem, err = s.Problem(scores, crooked)
		require.NoError(t, err, net.name)
		_, have, err := problem.Evaluate(dense, on)
		require.NoError(t, err, net.name)
		want := int64(0)
		for i, p := range s.pieces() {
			if i == 0 || s.pieces()[i-1].call != p.call {
				c, _ := s.cell(p, dense[p.own], dense[p.prev])
				ns, _ := crooked(c)
				want += ns
			}
			if p.share < 1 {
				concatenated++
			}
		}
		require.InDelta(t, want, have, slack, net.name)
		require.NoError(t, program.Close())
	}
	require.Greater(t, concatenated, 50, "the nets should have concatenations")
}
