package data

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runScript runs scripts/data without a network, apt or curl: with the basic tools and the given environment only.
func runScript(t *testing.T, env ...string) (stdout, stderr string, err error) {
	bin := t.TempDir()
	for _, tool := range []string{"sh", "sha256sum", "gzip", "cut", "grep", "basename", "mktemp", "mkdir", "mv", "cp", "rm", "head"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip(err)
		}
		require.NoError(t, os.Symlink(path, filepath.Join(bin, tool)))
	}
	cmd := exec.Command(filepath.Join(bin, "sh"), "../../scripts/data")
	cmd.Env = append(env, "PATH="+bin)
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	err = cmd.Run()
	return out.String(), progress.String(), err
}

// TestScript: scripts/data refuses what is not Fashion-MNIST, and mends a cache that was damaged from a folder that is whole.
func TestScript(t *testing.T) {
	if _, err := os.Stat("/usr/share/datasets/fashion-mnist"); err == nil {
		t.Skip("the data set is installed: the script always finds it")
	}
	home := t.TempDir()
	wrong := writeIDXFolder(t, 28, 28)
	stdout, stderr, err := runScript(t, "HOME="+home, "MDP_DATA="+wrong)
	require.Error(t, err)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, filepath.Join(wrong, trainImages)+".gz is damaged or another data set")
	assert.True(t, strings.HasSuffix(stderr, "set MDP_DATA to a folder with its four files\n"), stderr)

	real, err := os.UserCacheDir()
	require.NoError(t, err)
	real = filepath.Join(real, "mdp", "fashion-mnist")
	if !isIDXFolder(real) {
		t.Skip("fashion-mnist is not in " + real + ": run scripts/data")
	}
	cache := filepath.Join(home, ".cache", "mdp", "fashion-mnist")
	writeFile(t, cache, testImages, []byte("damaged"))
	for range 2 {
		stdout, stderr, err = runScript(t, "HOME="+home, "MDP_DATA="+real)
		require.NoError(t, err, stderr)
		assert.Equal(t, cache+"\n", stdout)
	}
	assert.Empty(t, stderr, "the second run has nothing to do")
	files, err := os.ReadDir(cache)
	require.NoError(t, err)
	assert.Len(t, files, 4, "no temporary file is left")
	_, test, err := OpenFashionMNIST(cache)
	require.NoError(t, err)
	assert.Equal(t, 10000, test.Len())
}
