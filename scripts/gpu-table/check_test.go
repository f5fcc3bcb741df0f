package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCheckOutlivesAHangingTool runs gpu-check with stand-ins for what it runs. A
// sanitizer that hangs, and will not be told to end, is cut off with all that it
// started; the steps behind it go on and nothing has failed. There is no home, and what
// runs writes where there is room.
func TestCheckOutlivesAHangingTool(t *testing.T) {
	if _, err := exec.LookPath("timeout"); err != nil {
		t.Skip(err)
	}
	t.Parallel() // it waits
	bundle, tools, out := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{"gpu-check", "gpu-steps"} {
		script, err := os.ReadFile("../" + name)
		require.NoError(t, err)
		script = regexp.MustCompile(`(?m)^((?:plan=")?[a-z-]+) [0-9]+\b`).ReplaceAll(script, []byte("$1 1")) // second each,
		script = regexp.MustCompile(`(?m)^(racecheck|initcheck) 1\b`).ReplaceAll(script, []byte("$1 7"))     // but behind one that needs to be killed
		require.NoError(t, os.WriteFile(filepath.Join(bundle, name), script, 0o755))
	}
	program := func(path, text string) {
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755))
	}
	for _, name := range []string{"mdp", "backend.test", "driver.test"} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write([]byte("#!/bin/sh\necho \"$TMPDIR\"\n"))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.NoError(t, os.WriteFile(filepath.Join(bundle, name+".gz"), packed.Bytes(), 0o644))
	}
	pid := filepath.Join(out, "pid")
	program(filepath.Join(tools, "nvidia-smi"), "")
	program(filepath.Join(tools, "python3"), "exit 3")
	program(filepath.Join(tools, "compute-sanitizer"), `[ "$2" = memcheck ] || exit 0
trap '' TERM
(trap '' TERM; sleep 1000) &
echo $! >`+pid+`
while :; do sleep 1000; done
`)
	c := exec.Command(filepath.Join(bundle, "gpu-check"), out)
	c.Env = []string{"PATH=" + tools + ":" + os.Getenv("PATH"), "TMPDIR=/dev/null"}
	text, err := c.CombinedOutput()
	require.NoError(t, err, "%s", text)
	lines, err := os.ReadFile(filepath.Join(out, "gpu-check.jsonl"))
	require.NoError(t, err)
	results := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		var step struct{ Step, Result string }
		require.NoError(t, json.Unmarshal([]byte(line), &step), line)
		results[step.Step] = step.Result
	}
	assert.Regexp(t, "^cut off after [0-9]+ s$", results["memcheck"])
	for _, step := range []string{"doctor", "nvidia-smi", "driver", "backend", "kernels", "train", "racecheck", "initcheck"} {
		assert.Equal(t, "passed", results[step], step)
	}
	assert.Equal(t, "left out: "+filepath.Join(tools, "python3")+" has no PyTorch with CUDA; cudnn.stderr says why", results["cudnn"])
	text, err = os.ReadFile(filepath.Join(out, "backend.txt"))
	require.NoError(t, err)
	assert.Equal(t, "/var/tmp\n", string(text))
	text, err = os.ReadFile(pid)
	require.NoError(t, err)
	assert.False(t, alive(t, strings.TrimSpace(string(text))), "what the sanitizer started goes on")
}

// alive says that a process is, and has not ended without being waited for.
func alive(t *testing.T, pid string) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", pid).Output()
	if _, ended := err.(*exec.ExitError); !ended {
		require.NoError(t, err)
	}
	return len(state) > 0 && state[0] != 'Z'
}
