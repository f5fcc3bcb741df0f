//go:build cuda

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune/sweep"
)

// A sweep over two GPUs, one run at a time on each. All of its processes are killed at
// once, as when the machine goes down, and it goes on. Then one GPU is lost to each
// process that has launched so much on it: those runs fail alone, the other GPU goes on,
// and theirs are done there, from where they were. The GPUs are models: emulated, one run
// takes minutes.
func TestGPUSweep(t *testing.T) {
	if os.Getenv("MDP_TEST_EMULATED_DRIVER") == "" {
		t.Skip("once, beside the tests on the emulated driver")
	}
	driver := t.TempDir()
	text, err := exec.Command("g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-o", filepath.Join(driver, "libcuda.so.1"), "../../engine/cuda/driver/cu/testdata/modelled/libcuda.cpp").CombinedOutput()
	require.NoError(t, err, "%s", text)
	t.Setenv("LD_LIBRARY_PATH", driver)
	t.Setenv("MODELLED_GPUS", "2")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "two.yaml"), "seed: [1, 2, 3, 4]\ndevice: [[cuda:0, cuda:1]]\n")
	folders := func() []string {
		all, err := filepath.Glob(filepath.Join(dir, "sweeps", "two", "seed-*"))
		require.NoError(t, err)
		return all
	}
	states := func() (all []sweep.State) {
		for _, f := range folders() {
			var s sweep.State
			b, err := os.ReadFile(filepath.Join(f, "job.json"))
			if os.IsNotExist(err) {
				continue // it begins
			}
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(b, &s))
			all = append(all, s)
		}
		return all
	}

	c := command(t, dir, "sweep", "two.yaml", "--quiet")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool { // both GPUs are in use
		of := map[string]bool{}
		for _, s := range states() {
			of[s.Device] = s.Phase == sweep.Running
		}
		return of["cuda:0"] && of["cuda:1"]
	}, time.Minute, 5*time.Millisecond)
	time.Sleep(500 * time.Millisecond)
	require.NoError(t, c.Process.Kill()) // its runs die with it
	require.Error(t, c.Wait())

	rows := func(folder string) string {
		b, err := os.ReadFile(filepath.Join(folder, "latency.jsonl"))
		require.True(t, err == nil || os.IsNotExist(err), "%v", err)
		return string(b[:bytes.LastIndexByte(b, '\n')+1])
	}
	before := map[string]string{}
	for _, f := range folders() {
		before[f] = rows(f)
	}

	t.Setenv("MODELLED_LOST", "3000")
	t.Setenv("MODELLED_LOST_GPU", "1")
	o := mdp(t, dir, "sweep", "two.yaml")
	require.Equal(t, exitOK, o.code, o.stderr)
	assert.Contains(t, o.stderr, "refused by the model (CUDA error 719)")
	assert.NotContains(t, o.stderr, "skipped")
	assert.Equal(t, 4, strings.Count(o.stderr, "\ndone "), o.stderr)
	assert.Equal(t, 4+strings.Count(o.stderr, "\nfailed "), strings.Count("\n"+o.stderr, "\nbegins "), o.stderr)
	for f, had := range before {
		assert.True(t, strings.HasPrefix(rows(f), had), "%s lost rows", f)
	}
	require.Len(t, states(), 4)
	for _, s := range states() {
		assert.Equal(t, sweep.Done, s.Phase)
		if s.Failures > 0 {
			assert.Equal(t, "cuda:0", s.Device)
		}
	}
	o = ok(t, dir, "sweep", "two.yaml")
	assert.Equal(t, 4, strings.Count(o.stderr, "skipped"), "nothing is done twice")
}
