package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdp/prune"
)

// The tests run mdp as a user does: this test binary is mdp when asMDP is set,
// with defaults that take seconds.
const asMDP = "MDP_TEST_AS_MDP"

func TestMain(m *testing.M) {
	if os.Getenv(asMDP) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		a := app{stdout: os.Stdout, stderr: os.Stderr, defaults: tiny}
		os.Exit(a.run(ctx, os.Args[1:]))
	}
	code := m.Run()
	if base.dir != "" {
		os.RemoveAll(base.dir)
	}
	os.Exit(code)
}

func tiny() prune.Config {
	c := prune.Defaults()
	c.Net, c.Width, c.Data = "resnet8-cifar", 0.25, "synthetic"
	c.Epochs, c.Batch, c.ScoreBatches, c.LatencyBatch, c.Step = 1, 32, 2, 1, 8
	c.Budgets = []string{"0.6x"}
	c.Checkpoint = 20 * time.Millisecond
	return c
}

// command is mdp in a folder.
func command(t testing.TB, dir string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), asMDP+"=1")
	return c
}

// output is what a command left.
type output struct {
	stdout, stderr string
	code           int
}

func execute(t *testing.T, c *exec.Cmd) output {
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if _, ok := err.(*exec.ExitError); !ok {
		require.NoError(t, err)
	}
	return output{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

func mdp(t *testing.T, dir string, args ...string) output {
	return execute(t, command(t, dir, args...))
}

// ok is mdp that must not fail.
func ok(t *testing.T, dir string, args ...string) output {
	t.Helper()
	o := mdp(t, dir, args...)
	require.Equal(t, exitOK, o.code, "mdp %v: %s", args, o.stderr)
	return o
}

// base is one finished run in DIR/run that tests copy, and what it printed.
var base struct {
	sync.Once
	dir string
	out output
}

// finished returns a new folder with a finished run in "run".
func finished(t *testing.T) string {
	base.Do(func() {
		dir, err := os.MkdirTemp("", "mdp-test-")
		require.NoError(t, err)
		base.dir = dir
		base.out = ok(t, dir, "prune", "--run", "run")
	})
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "run"), os.DirFS(filepath.Join(base.dir, "run"))))
	return dir
}

// contents is a digest of every file of a folder but the log, which only grows.
func contents(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "log.jsonl" {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	require.NoError(t, err)
	return all
}

func write(t *testing.T, path, text string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}
