package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune"
)

func TestPruneEndsWithATable(t *testing.T) {
	dir := finished(t)
	lines := strings.Split(base.out.stdout, "\n")
	for _, l := range lines {
		assert.LessOrEqual(t, utf8.RuneCountInString(l), 80, l)
	}
	for i, name := range []string{"network", "dense", "masked 0.6x", "pruned 0.6x", "fine-tuned 0.6x"} {
		assert.True(t, strings.HasPrefix(lines[i], name), lines[i])
	}
	assert.Equal(t, filepath.Join("run", "report.html"), lines[len(lines)-2])
	assert.FileExists(t, filepath.Join(dir, "run", "report.html"))
	assert.NotContains(t, base.out.stdout+base.out.stderr, "\x1b", "escapes where there is no terminal")
	for _, stage := range []string{"train", "score", "bench", "solve", "extract", "finetune", "eval", "report"} {
		assert.Contains(t, base.out.stderr, "\n"+stage, "nothing told of it")
	}
}

func TestSecondRunSkipsEveryStep(t *testing.T) {
	dir := finished(t)
	before := contents(t, dir)
	o := ok(t, dir, "prune", "--run", "run")
	assert.Equal(t, 7, strings.Count(o.stderr, "skipped"), o.stderr)
	assert.Equal(t, 1, strings.Count(o.stderr, "begins"), "only the report is written again")
	after := contents(t, dir)
	for _, name := range []string{"run/report.json", "run/report.html"} {
		delete(before, name)
		delete(after, name)
	}
	assert.Equal(t, before, after)
	assert.Empty(t, ok(t, dir, "prune", "--run", "run", "--quiet").stderr)
}

func TestReportJSON(t *testing.T) {
	dir := finished(t)
	var r struct {
		Networks []struct {
			Name, Budget            string
			Accuracy                *float64
			Parameters, MACs        int64
			PredictedMS, MeasuredMS *float64
		}
		Expectations []struct{ OK bool }
	}
	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, "report", "run", "--json").stdout), &r))
	var names []string
	for _, n := range r.Networks {
		names = append(names, strings.TrimSpace(n.Name+" "+n.Budget))
		assert.Positive(t, n.Parameters, n.Name)
		assert.Positive(t, n.MACs, n.Name)
		require.NotNil(t, n.Accuracy, n.Name)
		assert.Equal(t, n.Name != "masked", n.MeasuredMS != nil && n.PredictedMS != nil, "%s: a masked network is the dense one to the device", n.Name)
	}
	assert.Equal(t, []string{"dense", "masked 0.6x", "pruned 0.6x", "fine-tuned 0.6x"}, names)

	missed := 0
	for _, x := range r.Expectations {
		if !x.OK {
			missed++
		}
	}
	o := mdp(t, dir, "report", "run", "--strict")
	assert.Equal(t, missed, strings.Count(o.stdout, "MISSED"))
	want := exitOK
	if missed > 0 {
		want = exitMissed
	}
	assert.Equal(t, want, o.code)
	assert.Equal(t, missed > 0, o.stderr != "")
}

// Each step's command prints what it made, for people and as JSON.
func TestSteps(t *testing.T) {
	dir := finished(t)
	for _, c := range []struct {
		name string
		keys []string // of the JSON, or of its first element
	}{
		{"train", []string{"epoch", "loss", "test_accuracy"}},
		{"score", []string{"importance", "members"}},
		{"bench", []string{"backend", "configurations", "measured_ns"}},
		{"solve", []string{"asked", "budget", "status", "objective", "latency", "bound", "gap"}},
		{"extract", []string{"budget", "parameters", "macs"}},
		{"finetune", []string{"budget", "epochs"}},
		{"eval", []string{"networks"}},
	} {
		text := ok(t, dir, c.name, "--run", "run", "--quiet")
		assert.NotEmpty(t, text.stdout, c.name)
		assert.Empty(t, text.stderr, c.name)
		assertKeys(t, ok(t, dir, c.name, "--run", "run", "--json").stdout, c.keys)
	}
	for name, keys := range map[string][]string{
		"nets":    {"name", "parameters", "macs"},
		"doctor":  {"cpu", "features", "threads", "isa", "backends", "cache", "data"},
		"version": {"version", "revision", "go"},
	} {
		assert.NotEmpty(t, ok(t, dir, name).stdout)
		assertKeys(t, ok(t, dir, name, "--json").stdout, keys)
	}
}

func assertKeys(t *testing.T, text string, keys []string) {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	if list, ok := v.([]any); ok {
		require.NotEmpty(t, list)
		v = list[0]
	}
	for _, k := range keys {
		assert.Contains(t, v, k)
	}
}

// The published problems, against the optima that three solvers proved.
func TestSolveFile(t *testing.T) {
	dir, err := filepath.Abs(filepath.Join("..", "..", "prune", "solve", "testdata"))
	require.NoError(t, err)
	optima, err := os.ReadFile(filepath.Join(dir, "optima.jsonl"))
	require.NoError(t, err)
	for line := range strings.Lines(string(optima)) {
		var known struct {
			Name    string
			Optimum int64
		}
		require.NoError(t, json.Unmarshal([]byte(line), &known))
		if !slices.Contains([]string{"rn50_mdp_04", "rn101_mdp_00", "mbv1_mdp_10"}, known.Name) {
			continue
		}
		var s struct {
			Status    string
			Objective int64
			Front     []struct{ Latency, Importance int64 }
		}
		require.NoError(t, json.Unmarshal([]byte(ok(t, dir, "solve", known.Name+".json", "--json").stdout), &s))
		assert.Equal(t, "optimal", s.Status)
		assert.Equal(t, known.Optimum, s.Objective, known.Name)
	}
	csv := strings.Split(strings.TrimSpace(ok(t, dir, "solve", "mbv1_mdp_20.json", "--front").stdout), "\n")
	assert.Equal(t, "latency,importance", csv[0])
	assert.Greater(t, len(csv), 10)
}

func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	assert.Equal(t, "cosine\nlinear\nstep\n:4\n", ok(t, dir, "__complete", "prune", "--schedule", "").stdout)
	assert.Contains(t, ok(t, dir, "__complete", "prune", "--net", "").stdout, "resnet50\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		assert.Contains(t, ok(t, dir, "completion", shell).stdout, "mdp")
	}
}

// What a flag says goes over the run file, that over the run folder, that over the defaults.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "run", "config.json"), `{"seed": 2, "epochs": 2, "batch": 2}`)
	write(t, filepath.Join(dir, "run.yaml"), "seed: 3\nepochs: 3\n")
	cmd := newTrainCmd(&app{defaults: tiny})
	s := settings{defaults: tiny}
	cmd.ResetFlags()
	s.addFlags(cmd)
	require.NoError(t, cmd.ParseFlags([]string{"--run", filepath.Join(dir, "run"), "--config", filepath.Join(dir, "run.yaml"), "--seed", "4"}))
	folder, c, err := s.resolve()
	require.NoError(t, err)
	want := tiny()
	want.Seed, want.Epochs, want.Batch = 4, 3, 2
	assert.Equal(t, want, c)
	assert.Equal(t, filepath.Join(dir, "run"), folder)
}

// Run files, flags and config.json use the same names, and each has a help text.
func TestKeysHaveOneName(t *testing.T) {
	c := prune.Defaults()
	for i, k := range keys(&c) {
		f := reflect.TypeOf(c).Field(i)
		assert.Equal(t, k.name, f.Tag.Get("json"), f.Name)
		assert.NotEmpty(t, k.name, f.Name)
		assert.NotEmpty(t, k.help, f.Name)
		assert.NoError(t, k.check(), "the default")
	}
}
