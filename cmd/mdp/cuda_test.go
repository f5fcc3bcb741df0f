//go:build cuda

package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda"
	"mdp/engine/cuda/driver/cu"
)

// With a GPU or without, mdp says in one line what it finds.
func TestGPUDoctor(t *testing.T) {
	out := execute(t, command(t, t.TempDir(), "doctor", "--json"))
	require.Zero(t, out.code, out.stderr)
	var d diagnosis
	require.NoError(t, json.Unmarshal([]byte(out.stdout), &d))
	found := map[string]finding{}
	for _, f := range d.Backends {
		found[f.Name] = f
	}
	require.Contains(t, found, "cuda")
	devices, err := cu.Devices()
	if err != nil {
		assert.Equal(t, finding{"cuda", false, oneLine(err)}, found["cuda"])
		return
	}
	assert.True(t, found["cuda"].There)
	assert.Contains(t, found["cuda:0"].Detail, devices[0].Name)
	assert.Contains(t, found, "cudnn")
}

func TestGPUThatIsNotThere(t *testing.T) {
	for device, code := range map[string]int{"cuda:700": exitFailed, "gpu": exitUsage, "cuda:-1": exitUsage, "cuda:": exitUsage} {
		out := execute(t, command(t, t.TempDir(), "kernels", "--device", device))
		assert.Equal(t, code, out.code, device)
		assert.Empty(t, out.stdout)
		assert.Equal(t, 1, strings.Count(out.stderr, "\n"), out.stderr)
	}
}

// Whatever a GPU cannot do is one line that says what to do.
func TestGPUBadInput(t *testing.T) {
	if os.Getenv("MDP_TEST_EMULATED_DRIVER") == "" {
		t.Skip("only the emulated driver is as bad as it is asked to be")
	}
	const bench = "bench --quiet --out table --model resnet8-cifar --width 0.25 --step 100 --batch 1 --device cuda:0"
	const train = "train --quiet --run run --net resnet8-cifar --width 0.25 --data synthetic --epochs 1 --device cuda:0"
	for _, c := range []struct{ name, environment, args, says string }{
		{"no GPU", "EMULATED_DEVICES=0", train, "no NVIDIA GPU: libcuda.so.1 was not found, or finds no device"},
		{"a driver that does not start", "EMULATED_FAILURE=cuInit=803", train, "finds no device: it does not start: system has unsupported display driver / cuda driver combination (CUDA error 803)"},
		{"no such GPU", "", train[:len(train)-1] + "7", "there is no device cuda:7; this machine has cuda:0 alone"},
		{"no such GPU of two", "EMULATED_DEVICES=2", train[:len(train)-1] + "7", "there is no device cuda:7; this machine has cuda:0 to cuda:1"},
		{"an old GPU", "EMULATED_CAPABILITY_MAJOR=7", train, "emulated driver has compute capability 7.0; the kernels need 8.0 or newer"},
		{"an old driver", "EMULATED_DRIVER_VERSION=11040 EMULATED_FAILURE=cuModuleLoadData=222", train, "do not load: the driver: the provided PTX was compiled with an unsupported toolchain. (CUDA error 222); the driver is for CUDA 11.4, a newer one may be needed"},
		{"another process has it to itself", "EMULATED_FAILURE=cuDevicePrimaryCtxRetain=46", train, "busy or unavailable (CUDA error 46); another process may have it to itself"},
		{"another process has most of its memory", "EMULATED_MIB_TAKEN=1022", train, "of device memory needed, 0.00 of 1.00 GiB free; a batch of "},
		{"little memory", "EMULATED_MIB=2", train, "the plan's memory for a batch of 32: 0.00 GiB of device memory needed, 0.00 of 0.00 GiB free; a batch of "},
		{"no memory", "EMULATED_MIB=0", train, "; no batch fits"},
		{"a kernel that fails", "EMULATED_FAILURE=cuGraphLaunch=719", train, "unspecified launch failure (CUDA error 719)"},
		{"a kernel that loses the device", "EMULATED_FAULT=100", train, "one of 45 calls, load_images/n32_28x28x1 to sgd+nesterov/5280_decay4976: "},
		{"a kernel that loses the device while it is timed", "EMULATED_FAULT=5", bench, "an illegal memory access was encountered (CUDA error 700); with CUDA_LAUNCH_BLOCKING=1 it tells which call; this process has lost the GPU, the same command goes on\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, e := range strings.Fields(c.environment) {
				name, value, _ := strings.Cut(e, "=")
				t.Setenv(name, value)
			}
			out := execute(t, command(t, t.TempDir(), strings.Fields(c.args)...))
			assertRefused(t, out, exitFailed, c.says)
			assert.LessOrEqual(t, strings.Count(out.stderr, "CUDA error"), 1, out.stderr)
		})
	}
}

// What cannot be timed any more is not tried.
func TestGPUKernelsOnOneThatIsLost(t *testing.T) {
	if os.Getenv("MDP_TEST_EMULATED_DRIVER") == "" {
		t.Skip("only the emulated driver fails when asked")
	}
	t.Setenv("EMULATED_FAULT", "3")
	out := execute(t, command(t, t.TempDir(), "kernels", "--net", "resnet8-cifar", "--batch", "1", "--time", "300s"))
	assertRefused(t, out, exitFailed, "mdp: the GPU is lost at line 1 of ")
	assert.Equal(t, 1, strings.Count(out.stdout, "CUDA error 700"), out.stdout)
}

// Whoever stops it is not told that the time was over.
func TestGPUKernelsStopped(t *testing.T) {
	if _, err := cu.Devices(); err != nil {
		t.Skip(err)
	}
	c := command(t, t.TempDir(), "kernels", "--net", "resnet8-cifar", "--batch", "1", "--time", "300s")
	lines, err := c.StdoutPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	c.Stderr = &stderr
	require.NoError(t, c.Start())
	_, err = lines.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, lines)
	require.NoError(t, err)
	require.Error(t, c.Wait())
	assertRefused(t, output{stderr: stderr.String(), code: c.ProcessState.ExitCode()}, exitFailed, "mdp: stopped after ")
}

// Two processes measure on one GPU one after the other: the second is told of the first,
// and goes on where that was killed.
func TestGPUInUse(t *testing.T) {
	devices, err := cu.Devices()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	bench := strings.Fields("bench --quiet --model resnet8-cifar --width 0.25 --batch 1 --device cuda:0 --out")
	first := command(t, dir, append(bench, "long", "--step", "1")...)
	require.NoError(t, first.Start())
	t.Cleanup(func() { first.Process.Kill(); first.Wait() })
	require.Eventually(t, func() bool { // it measures
		rows, err := os.ReadFile(filepath.Join(dir, "long", "latency.jsonl"))
		return err == nil && strings.Count(string(rows), "\n") > 1
	}, time.Minute, 10*time.Millisecond)

	second := append(bench, "short", "--step", "100")
	out := execute(t, command(t, dir, second...))
	assertRefused(t, out, exitFailed, "another mdp bench is measuring on "+devices[0].PCI+": wait for it (lock ")
	require.NoDirExists(t, filepath.Join(dir, "short"))
	require.NoError(t, first.Process.Kill())
	first.Wait()
	out = execute(t, command(t, dir, second...))
	require.Zero(t, out.code, out.stderr)
}

// What must be known is timed before what it is compared with.
func TestKernelsInOrder(t *testing.T) {
	calls, err := trainingCalls("resnet8-cifar", 8)
	require.NoError(t, err)
	rows := kernelRows(calls, 1<<20)
	var order []string
	for _, r := range rows {
		k := r.(*kernelRow)
		kind := "variant"
		switch _, multiplies := engine.ConvOf(k.call); {
		case k.Precision == cuda.Float16:
			kind = "fp16"
		case k.Variant != cuda.Chosen:
		case isMasked(k.call):
			kind = "masked"
		case k.Precision == cuda.BFloat16 || !multiplies:
			kind = "first"
		default:
			kind = "exact"
		}
		if len(order) == 0 || order[len(order)-1] != kind {
			order = append(order, kind)
		}
	}
	assert.Equal(t, []string{"first", "exact", "masked", "variant", "fp16"}, order)
}

func TestGPUKernels(t *testing.T) {
	if _, err := cu.Devices(); err != nil {
		t.Skip(err)
	}
	args := strings.Fields("kernels --net resnet8-cifar --batch 1 --time")
	out := execute(t, command(t, t.TempDir(), append(args, "1ns")...))
	require.Zero(t, out.code, out.stderr)
	assert.Contains(t, out.stderr, "the time was over after 0 of ")

	c := command(t, t.TempDir(), append(args, "1h")...) // what is read of it ends it: a line of an emulated GPU takes a second, and many where much else runs
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	lines := json.NewDecoder(stdout)
	var h kernelsHeader
	require.NoError(t, lines.Decode(&h))
	assert.Equal(t, "resnet8-cifar", h.Net)
	for range stepRows("resnet8-cifar", 1) {
		var r stepRow
		require.NoError(t, lines.Decode(&r))
		assert.Empty(t, r.Error, r.Mode)
		assert.Positive(t, r.ImagesPerSecond, r.Mode)
		assert.Positive(t, r.ProgramBytes, r.Mode)
	}
	for range 8 {
		var r kernelRow
		require.NoError(t, lines.Decode(&r))
		assert.Empty(t, r.Error, r.Call)
		assert.Positive(t, r.MedianNS, r.Call)
		assert.Positive(t, r.FLOP+r.Bytes, r.Call)
	}
}
