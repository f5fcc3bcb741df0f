//go:build cuda

package cudnn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlaces(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"named/lib64", "venv/lib/python3.11/site-packages/nvidia/cudnn/lib", "conda/lib/python3.12/site-packages/nvidia/cudnn/lib",
		"usr/lib/python3/dist-packages/nvidia/cudnn/lib", "home/.local/lib/python3.13/site-packages/nvidia/cudnn/lib"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, path), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path, name), nil, 0o644))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(root, "usr/bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "usr/bin/python3"), nil, 0o755))
	t.Setenv("CUDNN_PATH", filepath.Join(root, "named"))
	t.Setenv("VIRTUAL_ENV", filepath.Join(root, "venv"))
	t.Setenv("CONDA_PREFIX", filepath.Join(root, "conda"))
	t.Setenv("PATH", filepath.Join(root, "usr/bin"))
	t.Setenv("HOME", filepath.Join(root, "home"))
	var got []string
	for _, p := range places() {
		got = append(got, strings.TrimPrefix(p, root+"/"))
	}
	assert.Equal(t, []string{"named/lib64/" + name, name, "venv/lib/python3.11/site-packages/nvidia/cudnn/lib/" + name, "conda/lib/python3.12/site-packages/nvidia/cudnn/lib/" + name,
		"usr/lib/python3/dist-packages/nvidia/cudnn/lib/" + name, "home/.local/lib/python3.13/site-packages/nvidia/cudnn/lib/" + name}, got)

	file := filepath.Join(root, "named/lib64", name)
	t.Setenv("CUDNN_PATH", file)
	assert.Equal(t, file, places()[0], "it may name the file as well")
}

// What is no cuDNN 9 is said in one line, and the next place is tried.
func TestNoLibrary(t *testing.T) {
	library := stub(t)
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		t.Setenv(variable, "")
	}
	t.Setenv("PATH", dir)
	t.Setenv("HOME", dir)
	t.Setenv("CUDNN_PATH", dir)

	require.NoError(t, os.WriteFile(path, []byte("no library"), 0o644))
	_, err := open(path)
	assert.ErrorContains(t, err, path)

	require.NoError(t, os.WriteFile(path, library, 0o644))
	t.Setenv("CUDNN_VERSION", "8907")
	_, err = open(path)
	assert.EqualError(t, err, path+" is version 8907: it is none of cuDNN 9")

	renamed := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(renamed, []byte(strings.ReplaceAll(string(library), "cudnnBackendExecute", "cudnnBackendExecutf")), 0o644))
	_, err = open(renamed)
	assert.EqualError(t, err, renamed+" has no cudnnBackendExecute: it is none of cuDNN 9")

	if _, err := open(name); err == nil {
		t.Skip("this system has cuDNN")
	}
	_, err = Open()
	require.ErrorIs(t, err, ErrNone)
	assert.NotContains(t, err.Error(), "\n")
	assert.Contains(t, err.Error(), "is version 8907")

	t.Setenv("CUDNN_VERSION", "91200")
	l, err := Open()
	require.NoError(t, err)
	assert.Equal(t, "9.12.0", l.Version())
	t.Setenv("CUDNN_REFUSE", "Create=1001")
	_, err = l.NewHandle(0)
	assert.EqualError(t, err, "cuDNN: create a handle: CUDNN_STATUS_OTHER: as it was told")
}

// Where a real cuDNN is installed it loads, says its version, and without a GPU
// fails with one line.
func TestRealLibrary(t *testing.T) {
	l, err := Open()
	if err != nil {
		t.Skip(err)
	}
	t.Log(l.Path(), l.Version())
	assert.Regexp(t, `^9\.\d+\.\d+$`, l.Version())
	h, err := l.NewHandle(0)
	if err == nil {
		require.NoError(t, h.Close())
		return
	}
	t.Log(err)
	assert.ErrorContains(t, err, "cuDNN: create a handle: CUDNN_STATUS_")
	assert.NotContains(t, err.Error(), "\n")
}

// The numbers of abi.h are those of NVIDIA's headers, where they are installed:
// beside the library, with CUDA's in CUDA_HOME or of the same environment.
func TestNumbersAreThoseOfTheHeaders(t *testing.T) {
	var folders []string
	for _, p := range places() {
		include := filepath.Join(filepath.Dir(p), "..", "include")
		if _, err := os.Stat(filepath.Join(include, "cudnn.h")); err == nil {
			folders = append(folders, "-I", include, "-I", filepath.Join(include, "../../cu13/include"), "-I", filepath.Join(include, "../../cuda_runtime/include"))
			break
		}
	}
	if folders == nil {
		t.Skip("cuDNN's headers are not installed")
	}
	folders = append(folders, "-I", filepath.Join(os.Getenv("CUDA_HOME"), "include"))
	source, err := os.ReadFile("abi.h")
	require.NoError(t, err)
	var b strings.Builder
	b.WriteString("#include <stddef.h>\n#include <cudnn.h>\n")
	numbers := regexp.MustCompile(`(CUDNN_[A-Za-z0-9_]+) = (\d+)`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(numbers), 100)
	for _, n := range numbers {
		fmt.Fprintf(&b, "_Static_assert(%s == %s, \"\");\n", n[1], n[2])
	}
	functions := regexp.MustCompile(`F\([^,]*, (\w+), \(`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(functions), 30)
	for _, f := range functions {
		fmt.Fprintf(&b, "void *p%s = (void *)cudnn%s;\n", f[1], f[1])
	}
	for _, kind := range []string{"Fwd", "BwdData", "BwdFilter"} {
		perf := "cudnnConvolution" + kind + "AlgoPerf_t"
		fmt.Fprintf(&b, "_Static_assert(sizeof(%[1]s) == 48 && offsetof(%[1]s, time) == 8 && offsetof(%[1]s, memory) == 16 && offsetof(%[1]s, mathType) == 28, \"\");\n", perf)
	}
	cmd := exec.Command("gcc", append(folders, "-x", "c", "-fsyntax-only", "-")...)
	cmd.Stdin = strings.NewReader(b.String())
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "cuda_runtime") && strings.Contains(string(out), "No such file") {
		t.Skip("CUDA's headers are not installed")
	}
	require.NoError(t, err, string(out))
}
