package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/npy"
	"mdp/prune"
)

// Every line of every command's examples, as a shell runs it, in a folder that
// has what they name. What they leave out has the tests' small defaults.
func TestExamples(t *testing.T) {
	dir := finished(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "runs"), 0o755))
	require.NoError(t, os.Rename(filepath.Join(dir, "run"), filepath.Join(dir, "runs", "demo")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(command(t, dir).Path, filepath.Join(dir, "bin", "mdp")))
	write(t, filepath.Join(dir, "run.yaml"), "net: resnet8-cifar\nbudget: [0.5x]\n")
	write(t, filepath.Join(dir, "sweep.yaml"), "net: resnet8-cifar\nseed: [1, 2]\n")
	write(t, filepath.Join(dir, "titanv.pkl"), publishedTable())
	for from, to := range map[string]string{
		filepath.Join("..", "..", "prune", "solve", "testdata", "rn50_mdp_04.json"):             "problem.json",
		filepath.Join("..", "..", "prune", "solve", "testdata", "examples", "two_devices.json"): "two-devices.json",
		filepath.Join(dir, "runs", "demo", "weights.safetensors"):                               "weights.safetensors",
	} {
		b, err := os.ReadFile(from)
		require.NoError(t, err)
		write(t, filepath.Join(dir, to), string(b))
	}
	require.NoError(t, os.Link(filepath.Join(dir, "problem.json"), filepath.Join(dir, "phone.json")))
	require.NoError(t, os.Link(filepath.Join(dir, "weights.safetensors"), filepath.Join(dir, "resnet8.pth")))
	small := exec.Command(filepath.Join(dir, "bin", "mdp"), "export", "runs/demo", "--safetensors", "small.pt", "--onnx", "model.onnx")
	small.Dir, small.Env = dir, append(os.Environ(), asMDP+"=1")
	require.NoError(t, small.Run())
	require.NoError(t, os.Rename(filepath.Join(dir, "small.pt.kept.json"), filepath.Join(dir, "small.kept.json")))
	ok(t, dir, strings.Fields("bench --quiet --model resnet8-cifar --width 1 --step 64 --out tables/today")...)
	require.NoError(t, os.CopyFS(filepath.Join(dir, "tables", "yesterday"), os.DirFS(filepath.Join(dir, "tables", "today"))))
	g, _, err := prune.ReadModel(filepath.Join(dir, "runs", "demo"))
	require.NoError(t, err)
	s := g.Shape(0)
	require.NoError(t, npy.Write(filepath.Join(dir, "x.npy"), &npy.Array{Dims: []int{2, s.C, s.H, s.W}, Data: make([]float32, 2*s.Size())}))
	visit(newRootCmd(&app{defaults: tiny}), func(cmd *cobra.Command) {
		assert.NotEmpty(t, cmd.Long, cmd.CommandPath())
		assert.Contains(t, cmd.Example, cmd.CommandPath(), "%s has no example", cmd.CommandPath())
		for line := range strings.Lines(cmd.Example) {
			line = strings.TrimSpace(line)
			require.True(t, strings.HasPrefix(line, "mdp "), line)
			t.Run(line, func(t *testing.T) {
				c := exec.Command("sh", "-c", line)
				c.Dir = dir
				c.Env = append(os.Environ(), asMDP+"=1", "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
				var stderr bytes.Buffer
				c.Stderr = &stderr
				assert.NoError(t, c.Run(), stderr.String())
			})
		}
	})
}

// visit calls f on every command that does something.
func visit(cmd *cobra.Command, f func(*cobra.Command)) {
	if cmd.Runnable() || !cmd.HasParent() {
		f(cmd)
	}
	for _, c := range cmd.Commands() {
		visit(c, f)
	}
}
