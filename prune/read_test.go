package prune

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/prune/solve"
)

// small is a network whose files are read.
func small(t testing.TB) (*graph.Graph, *Coupling) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.125})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	return g, c
}

// folder is a run folder with one file.
func folder(t testing.TB, name string, b []byte) *Pipeline {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	c := Defaults()
	return &Pipeline{Folder: &Folder{dir: dir}, Config: c}
}

func TestScoresAreChecked(t *testing.T) {
	for _, score := range []string{"-1", "1e39", "-1e-30", "NaN"} {
		p := folder(t, "scores.json", []byte(`{"importance":"taylor","members":{"bn1":[0,1],"bn2":[1,`+score+`]}}`))
		_, err := p.scores()
		require.ErrorContains(t, err, "scores.json", score)
	}
	_, err := folder(t, "scores.json", []byte(`{"members":{"bn2":[1,-2]}}`)).scores()
	require.ErrorContains(t, err, "score of bn2, channel 1, is -2")
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.ErrorContains(t, Scores{Members: map[string][]float32{"bn1": {0, float32(v)}}}.Check(), "score of bn1, channel 1")
	}
}

func FuzzScores(f *testing.F) {
	g, c := small(f)
	good, err := json.Marshal(RandomScores(g, c, 1))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"members":{"bn1":[-1]}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := folder(t, "scores.json", b).scores()
		if err != nil {
			return
		}
		choice, err := NewSteps(g, c, 0).Choice(s, everything(c, 0, g))
		if err == nil {
			assert.NoError(t, choice.Check(g, c))
		}
	})
}

// everything is the solution that keeps the whole network.
func everything(c *Coupling, step int, g *graph.Graph) solve.Solution {
	s := NewSteps(g, c, step)
	all := solve.Solution{BlocksOn: []bool{true}}
	for i := range c.Groups {
		all.Options = append(all.Options, s.options(i))
	}
	for range c.Blocks {
		all.BlocksOn = append(all.BlocksOn, true)
	}
	return all
}

// A dense.json without latencies is refused: everything is a share of them.
func TestDenseWithoutLatency(t *testing.T) {
	for _, text := range []string{"{}", "null", `{"measured_ns":1,"sum_ns":-1}`} {
		_, err := folder(t, "dense.json", []byte(text)).dense()
		require.ErrorContains(t, err, "run mdp bench again", text)
	}
}

// Whatever solution.json says: a choice of this network, or an error.
func FuzzSolution(f *testing.F) {
	g, c := small(f)
	scores := RandomScores(g, c, 1)
	good, err := json.Marshal([]Answer{{Asked: "0.5x", Solution: everything(c, 0, g)}})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`[{"asked":"0.5x","options":[1],"blocks_on":[true]}]`))
	f.Add([]byte(`[{"asked":"0.5x"}]`))
	f.Add(bytes.ReplaceAll(good, []byte("1"), []byte("99")))
	f.Add(bytes.ReplaceAll(good, []byte("1"), []byte("-1")))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := folder(t, "solution.json", b).solution("0.5x")
		if err != nil {
			return
		}
		choice, err := NewSteps(g, c, 0).Choice(scores, a.Solution)
		if err == nil {
			assert.NoError(t, choice.Check(g, c))
		}
	})
}

func FuzzFront(f *testing.F) {
	for _, s := range []string{"", "latency_ns,importance\n", "latency_ns,importance\n1,2\n", "a,b\n1\n", "a,b\n1,1e400\n", "a,b\n\"", "1,2\n3,4\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if front, err := readFront(bytes.NewReader(b)); err == nil {
			assert.NotEmpty(t, front)
		}
	})
}

// Whatever steps.json says: a step is done, or the file is refused.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{"{}", "null", `{"a":{"inputs":"1","outputs":{"x":"y"},"seconds":1}}`, `{"a":null}`, `{"a":{"outputs":{"../x":null}}}`, "["} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, recordFile), b, 0o644))
		folder, err := OpenFolder(dir)
		if err != nil {
			assert.ErrorContains(t, err, "delete it")
			return
		}
		skipped, err := folder.Step("a", 1, nil, nil, func() error { return nil })
		require.NoError(t, err)
		assert.False(t, skipped)
		require.NoError(t, folder.Close())
	})
}
