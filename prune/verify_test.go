package prune

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/bench"
	"mdp/engine"
	"mdp/prune/solve"
)

// briskly is a rule that takes milliseconds.
func briskly(engine.Info) bench.Rule {
	return bench.Rule{MinSamples: 2, MaxRSD: 10, PlateauWindow: 2, PlateauEvery: 1, MaxSamples: 3, TimeoutNS: 1e9}
}

// TestVerify: every network is timed once, and each model's prediction is what
// its problem evaluates to, at the pace of the dense network beside it.
func TestVerify(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	c.Importance = Magnitude
	_, _, err := stages(t, dir, c, StageTrain, StageScore, StageBench, StageSolve)
	require.NoError(t, err)
	p, _, _ := stages(t, dir, c)
	v, err := p.Verify(context.Background(), 5, briskly)
	require.NoError(t, err)
	require.NoError(t, p.Close())

	var names, models []string
	for _, n := range v.Networks {
		names = append(names, n.Name)
	}
	require.Equal(t, []string{"random 0.8x 1", "random 0.6x 1", "random 0.4x 1", "random 0.2x 1", "random 0.8x 2", "solution 0.8x", "solution 0.6x"}, names)
	for _, m := range v.Models {
		models = append(models, m.Model)
	}
	require.Equal(t, []string{"tied", "additive", "linear"}, models)
	require.FileExists(t, p.Path("verify.svg"))
	raw, err := os.ReadFile(p.Path("verify.jsonl"))
	require.NoError(t, err)

	again, _, _ := stages(t, dir, c)
	same, err := again.Verify(context.Background(), 5, briskly)
	require.NoError(t, err)
	require.Equal(t, v, same)
	after, err := os.ReadFile(p.Path("verify.jsonl"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(raw, after), "a network was timed twice")

	_, rows, err := bench.ReadTable(p.Path("verify.jsonl"))
	require.NoError(t, err)
	var dense denseLatency
	require.NoError(t, p.ReadJSON("dense.json", &dense))
	require.NoError(t, again.withSpace(func(space *Space) error {
		models, err := again.models(space, dense)
		require.NoError(t, err)
		subnets, err := again.subnets(space, models, 5)
		require.NoError(t, err)
		for i, s := range subnets {
			for _, r := range rows {
				if r.Key != space.key(s) {
					continue
				}
				for m, predicted := range v.Networks[i].PredictedMS {
					_, ns, err := models[m].problem.Evaluate(s.Options, s.BlocksOn)
					require.NoError(t, err)
					require.InEpsilon(t, float64(ns)*float64(r.ReferenceNS)/float64(dense.LatencyNS)/1e6, predicted, 1e-12)
				}
			}
		}
		return nil
	}))
	require.NoError(t, again.Close())

	old, _, err := bench.ReadTable(p.Path("latency.jsonl"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(p.Path("latency.jsonl")))
	old.Build = "before"
	table, err := bench.OpenTable(p.Path("latency.jsonl"), old)
	require.NoError(t, err)
	require.NoError(t, table.Close())
	stale, _, _ := stages(t, dir, c)
	_, err = stale.Verify(context.Background(), 1, briskly)
	require.ErrorContains(t, err, "another build")
}

func TestSpread(t *testing.T) {
	require.EqualValues(t, 50, spreadPct([]int64{9, 11, 8, 10, 13, 1, 20, 2}))
	require.Zero(t, spreadPct([]int64{7}))
}

// TestDraw: networks near their budget, among what the problem allows, and the
// same for the same seed.
func TestDraw(t *testing.T) {
	s, _ := space(t, "resnet14-cifar", 2)
	p, err := s.Problem(RandomScores(s.Graph, s.Coupling, 1), func(c engine.Call) (int64, bool) { return 1000 + int64(len(c.Operands()))*100, true })
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(3, 4))
	for i, l := range p.Layers { // some network whose latency grows with its channels
		for a := range l.Latency.Pair {
			for b := range l.Latency.Pair[a] {
				p.Layers[i].Latency.Pair[a][b] = int64(1000 + 300*a*b + r.IntN(100))
			}
		}
	}
	_, denseNS, err := p.Evaluate(p.Dense())
	require.NoError(t, err)
	keys := map[string]bool{}
	for i := range 12 {
		n, err := draw(p, i)
		require.NoError(t, err)
		_, ns, err := p.Evaluate(n.Options, n.BlocksOn) // which checks the options
		require.NoError(t, err)
		if share := shares[i%len(shares)]; share > 0.3 { // there is not always one as small
			require.InDelta(t, share, float64(ns)/float64(denseNS), 0.05, n.Name)
		}
		same, err := draw(p, i)
		require.NoError(t, err)
		require.Equal(t, n, same)
		keys[s.key(n)] = true
		_, err = s.Choice(RandomScores(s.Graph, s.Coupling, 1), solve.Solution{Options: n.Options, BlocksOn: n.BlocksOn})
		require.NoError(t, err)
	}
	require.Len(t, keys, 12)
}
