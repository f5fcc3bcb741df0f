package sweep

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune"
)

func read(text string) (Plan, error) { return Read(strings.NewReader(text), prune.Defaults()) }

func TestEveryCombination(t *testing.T) {
	p, err := read(`
net: [resnet8-cifar, vgg16-bn]
precision: [fp32, tf32]
device: [cpu, [cuda:0, cuda:1]]
budget: [0.7x, 0.5x]
stay: [[layer1*], []]
latency-batch: &one 1
batch: *one
checkpoint: 3s
slurm: [--partition=gpu]
`)
	require.NoError(t, err)
	assert.Equal(t, []string{"net", "precision", "device", "stay"}, p.Axes)
	assert.Equal(t, []string{"--partition=gpu"}, p.Slurm)
	require.Len(t, p.Jobs, 2*3*2)
	assert.Len(t, p.LeftOut, 2*2)
	assert.Equal(t, "resnet8-cifar_tf32_cpu_layer1- on cpu, which has no tf32", p.LeftOut[0])

	first := prune.Defaults()
	first.Net, first.Budgets, first.Stay, first.LatencyBatch, first.Batch, first.Checkpoint = "resnet8-cifar", []string{"0.7x", "0.5x"}, []string{"layer1*"}, 1, 1, 3*time.Second
	assert.Equal(t, Job{"resnet8-cifar_fp32_cpu_layer1-", []string{"resnet8-cifar", "fp32", "cpu", "layer1*"}, first, []string{"cpu"}}, p.Jobs[0])
	last := first
	last.Net, last.Precision, last.Device, last.Stay = "vgg16-bn", "tf32", "cuda:0", []string{}
	assert.Equal(t, Job{"vgg16-bn_tf32_cuda-0-cuda-1_stay-", []string{"vgg16-bn", "tf32", "cuda:0,cuda:1", ""}, last, []string{"cuda:0", "cuda:1"}}, p.Jobs[11])
}

// A run file is a sweep of one run, and numbers say in the folder's name what they are.
func TestNames(t *testing.T) {
	p, err := read("net: resnet8-cifar\nepochs: 3")
	require.NoError(t, err)
	require.Len(t, p.Jobs, 1)
	assert.Equal(t, "resnet8-cifar", p.Jobs[0].Name)
	assert.Equal(t, 3, p.Jobs[0].Config.Epochs)

	p, err = read("seed: [1, 2]\nwidth: [0.5, 1]\ndevice: [cuda:0, cuda:1]")
	require.NoError(t, err)
	assert.Equal(t, "seed-1_width-0.5_cuda-0", p.Jobs[0].Name)
	assert.Equal(t, "seed-2_width-1_cuda-1", p.Jobs[7].Name)
}

// The demo's run file is a sweep as well.
func TestRunFileIsASweep(t *testing.T) {
	f, err := os.Open("../../scripts/demo.yaml")
	require.NoError(t, err)
	defer f.Close()
	p, err := Read(f, prune.Defaults())
	require.NoError(t, err)
	require.Len(t, p.Jobs, 1)
	want := prune.Defaults()
	_, err = f.Seek(0, 0)
	require.NoError(t, err)
	require.NoError(t, want.Read(f))
	assert.Equal(t, want, p.Jobs[0].Config)
}

func TestRefusedFiles(t *testing.T) {
	for text, says := range map[string]string{
		"":                             "it is empty",
		"- net":                        "line 1: want keys",
		"seed: [1":                     "line 1",
		"sede: 1":                      "line 1: there is no key sede",
		"seed: 1\nseed: 2":             "line 2: seed is given twice",
		"net: x\nseed: []":             "line 2: seed has no value",
		"seed: [1, many]":              "line 1: cannot unmarshal !!str `many` into uint64: that is no seed",
		"seed: [1, ]\nnet:":            "there is no value: that is no net",
		"seed: [[1, 2], 3]":            "that is no seed",
		"budget: 0.5x":                 "that is no budget",
		"budget: [half]":               `budget "half"`,
		"momentum: [0.9, 2]":           "momentum-2: momentum 2 must be in [0, 1)",
		"device: [cpu, {a: b}]":        "line 1: a device is a name such as cuda:0",
		"device: [[]]":                 "line 1: a device is a name such as cuda:0",
		"device: [cpu, gpu]":           `device "gpu"`,
		"device: cpu\nprecision: tf32": "no combination can run: ",
		"data: [a/b, a//b]":            "would share the folder a-b",
		"data: [a, " + strings.Repeat("b", 201) + "]": "give shorter values",
		"slurm: {a: b}":                 "slurm is a list of sbatch options",
		"seed: &a [1]\nbatch: [*a, *a]": "that is no batch",
		"seed: [" + strings.Repeat("1,", 101) + "1]\nbatch: [" + strings.Repeat("1,", 101) + "1]": "more than 10000 runs",
	} {
		_, err := read(text)
		if assert.Error(t, err, text) {
			assert.Contains(t, err.Error(), says, text)
			assert.NotContains(t, err.Error(), "\n", text)
		}
	}
}

// What is read can be run: each job has a folder of its own, a device and a
// configuration that makes sense.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"net: [a, b]\nseed: [1, 2]", "device: [cpu, [cuda:0, cuda:1]]", "budget: [[0.5x], [0.7x]]", "a: &b [*b]", "slurm: [-p]", "seed: !!int 1", "? {}\n: 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := read(text)
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, j := range p.Jobs {
			require.NoError(t, j.Config.Check())
			require.NotEmpty(t, j.Devices)
			require.Len(t, j.Values, len(p.Axes))
			require.False(t, names[j.Name], j.Name)
			require.NotContains(t, j.Name, "/")
			require.NotRegexp(t, `^(\.|$)`, j.Name)
			names[j.Name] = true
		}
	})
}
