package main

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A run that is killed again and again, at any moment, ends with the weights of
// one that was left alone: the dense network's, and the fine-tuned one's.
func TestKilledRunsGoOn(t *testing.T) {
	want := finished(t)
	dir := t.TempDir()
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	rng := rand.New(rand.NewPCG(h.Sum64(), 0))
	kills := 0
	for kills < 8 {
		c := command(t, dir, "prune", "--run", "run", "--quiet")
		require.NoError(t, c.Start())
		time.Sleep(time.Duration(50+rng.IntN(600)) * time.Millisecond)
		require.NoError(t, c.Process.Kill())
		if c.Wait() == nil {
			break // it was done before
		}
		kills++
	}
	t.Logf("killed %d times", kills)
	ok(t, dir, "prune", "--run", "run")
	same(t, filepath.Join(want, "run", "weights.safetensors"), filepath.Join(dir, "run", "weights.safetensors"))

	// The latencies of two runs differ, and so may what they cut: fine-tune this
	// run's own network again, once left alone and once killed.
	budget := filepath.Join("run", "0.6x")
	tuned := filepath.Join(budget, "finetuned.safetensors")
	for _, killed := range []bool{false, true} {
		again := t.TempDir()
		require.NoError(t, os.CopyFS(again, os.DirFS(dir)))
		require.NoError(t, os.Remove(filepath.Join(again, tuned)))
		for n := 0; killed && n < 4; n++ {
			c := command(t, again, "prune", "--run", "run", "--quiet")
			require.NoError(t, c.Start())
			waitFor(t, filepath.Join(again, budget, "finetune.*.checkpoint"), filepath.Join(again, tuned))
			time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
			c.Process.Kill()
			c.Wait()
		}
		ok(t, again, "finetune", "--run", "run")
		same(t, filepath.Join(dir, tuned), filepath.Join(again, tuned))
		left, err := filepath.Glob(filepath.Join(again, budget, "*.checkpoint"))
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

func same(t *testing.T, want, got string) {
	t.Helper()
	a, err := os.ReadFile(want)
	require.NoError(t, err)
	b, err := os.ReadFile(got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(a, b), "%s and %s differ", want, got)
}

// waitFor returns when there is a file of one of the patterns.
func waitFor(t *testing.T, patterns ...string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, p := range patterns {
			if files, err := filepath.Glob(p); err == nil && len(files) > 0 {
				return
			}
		}
	}
	t.Fatalf("none of %v came", patterns)
}

func TestInterruptSaysHowToGoOn(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir := t.TempDir()
		c := command(t, dir, "train", "--run", "a run", "--epochs", "200", "--quiet")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		require.NoError(t, c.Start())
		waitFor(t, filepath.Join(dir, "a run", "train.*.checkpoint"))
		require.NoError(t, c.Process.Signal(s))
		require.Error(t, c.Wait())
		assert.Equal(t, exitInterrupted, c.ProcessState.ExitCode())
		assert.Equal(t, "mdp: stopped; the same command goes on where it stopped: mdp train --run 'a run'\n", stderr.String())

		// It does, and knows its configuration.
		c = command(t, dir, "train", "--run", "a run", "--quiet")
		require.NoError(t, c.Start())
		time.Sleep(300 * time.Millisecond)
		require.NoError(t, c.Process.Signal(s))
		require.Error(t, c.Wait(), "200 epochs do not take 0.3 s")
		assert.Equal(t, exitInterrupted, c.ProcessState.ExitCode())
	}
}

// A table that was stopped says the command, flags and all, that goes on with it.
func TestInterruptedTableGoesOn(t *testing.T) {
	dir := t.TempDir()
	table := filepath.Join(dir, "a table", "latency.jsonl")
	rows := func() []string {
		b, _ := os.ReadFile(table) // not there yet is none
		lines := strings.SplitAfter(string(b), "\n")
		return lines[:len(lines)-1]
	}
	c := command(t, dir, "bench", "--model", "resnet8-cifar,resnet14-cifar", "--step", "32", "--batch", "1", "--width", "1", "--out", "a table", "--quiet")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	require.NoError(t, c.Start())
	for deadline := time.Now().Add(time.Minute); len(rows()) < 4 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, c.Process.Signal(os.Interrupt))
	require.Error(t, c.Wait())
	assert.Equal(t, exitInterrupted, c.ProcessState.ExitCode())
	_, line, found := strings.Cut(stderr.String(), "goes on where it stopped: mdp ")
	require.True(t, found, stderr.String())
	before := rows()

	again := exec.Command("sh", "-c", `exec "$0" `+strings.TrimSpace(line)+" --json", c.Path)
	again.Dir, again.Env = c.Dir, c.Env
	o := execute(t, again)
	require.Equal(t, exitOK, o.code, o.stderr)
	var done tabled
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &done))
	assert.Equal(t, done.Configurations, done.Rows)
	after := rows()
	assert.Len(t, after, 1+done.Rows)
	assert.Equal(t, before, after[:len(before)], "what was measured stays")
}
