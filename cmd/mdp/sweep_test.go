package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A sweep of four runs, two of which cannot meet their budget: it is killed,
// interrupted, goes on, and ends with the others done and one line.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "all four.yaml"), "seed: [1, 2]\nbudget: [[0.6x, 0.8x], [0.001x]]\n")
	o := ok(t, dir, "sweep", "all four.yaml", "--dry-run")
	assert.Equal(t, 5, strings.Count(o.stdout, "\n"), o.stdout)
	assertKeys(t, ok(t, dir, "sweep", "all four.yaml", "--dry-run", "--json").stdout, []string{"name", "values", "config", "devices"})
	assert.NoDirExists(t, filepath.Join(dir, "sweeps"))

	// Killed in the middle of the first run, asked to stop in the next.
	folder := filepath.Join(dir, "sweeps", "all four")
	c := command(t, dir, "sweep", "all four.yaml", "--quiet")
	require.NoError(t, c.Start())
	waitFor(t, filepath.Join(folder, "*", "weights.safetensors"))
	require.NoError(t, c.Process.Kill())
	require.Error(t, c.Wait())
	c = command(t, dir, "sweep", "all four.yaml", "--quiet")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	require.NoError(t, c.Start())
	waitFor(t, filepath.Join(folder, "*", "report.json"))
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	require.Error(t, c.Wait())
	assert.Equal(t, exitInterrupted, c.ProcessState.ExitCode())
	assert.Equal(t, "mdp: stopped; the same command goes on where it stopped: mdp sweep 'all four.yaml' --dir 'sweeps/all four'\n", stderr.String())

	o = mdp(t, dir, "sweep", "all four.yaml", "--json")
	assert.Equal(t, exitFailed, o.code, o.stderr)
	assert.Contains(t, o.stderr, "mdp: 2 of 4 runs failed, such as seed-1_budget-0.001x: ")
	assert.Contains(t, o.stderr, "smallest latency there is")
	assert.NotContains(t, o.stderr, "tried again after", "a budget out of reach stays so")
	var r struct {
		Runs []struct {
			State    string
			Networks []struct{ Name, Budget string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r), o.stdout)
	require.Len(t, r.Runs, 4)
	for i, want := range []string{"done", "failed", "done", "failed"} {
		assert.Equal(t, want, r.Runs[i].State)
	}
	assert.Len(t, r.Runs[0].Networks, 1+2*3)
	b, err := os.ReadFile(filepath.Join(folder, "summary.csv"))
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	require.NoError(t, err)
	assert.Len(t, rows, 1+2+1+2+1)

	o = mdp(t, dir, "sweep", "all four.yaml", "--slurm", "--dry-run")
	assert.Equal(t, exitOK, o.code)
	assert.Contains(t, o.stdout, "#SBATCH --array=1,3\n")
	o = mdp(t, dir, "sweep", "all four.yaml", "--job", "2")
	assert.Equal(t, exitFailed, o.code)
	assert.Contains(t, o.stderr, "skipped  seed-2_budget-0.6x-0.8x: it is done")
	assert.Contains(t, o.stdout, filepath.Join("sweeps", "all four", "summary.html"))
}

func TestSweepBadInput(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.yaml"), "net: [resnet8-cifar, lenet]\n")
	write(t, filepath.Join(dir, "key.yaml"), "seed: 1\nlearning_rate: 1\n")
	write(t, filepath.Join(dir, "good.yaml"), "seed: [1, 2]\n")
	for args, says := range map[string]string{
		"sweep":                    "accepts 1 arg",
		"sweep none.yaml":          "none.yaml",
		"sweep bad.yaml":           `bad.yaml: lenet: net "lenet" is none of resnet18`,
		"sweep key.yaml":           "key.yaml: line 2: there is no key learning_rate",
		"sweep good.yaml --job 2":  "good.yaml has the runs 0 to 1, not 2",
		"sweep good.yaml --job=-2": "good.yaml has the runs 0 to 1, not -2",
	} {
		assertRefused(t, mdp(t, dir, strings.Fields(args)...), exitUsage, says)
	}
	assert.NoDirExists(t, filepath.Join(dir, "sweeps"))
}
