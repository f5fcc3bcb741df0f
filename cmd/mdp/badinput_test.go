package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Bad input ends with one line that says what to do and its own exit code, and
// nothing that was there is lost.
func TestBadInput(t *testing.T) {
	problem, err := filepath.Abs(filepath.Join("..", "..", "prune", "solve", "testdata", "rn50_mdp_04.json"))
	require.NoError(t, err)
	truncated := filepath.Join(t.TempDir(), "idx")
	for _, name := range []string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"} {
		write(t, filepath.Join(truncated, name), "\x00\x00\x08\x03\x00\x00")
	}
	none := func(*testing.T, string) {}
	file := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, filepath.Join(dir, name), text) }
	}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string)
		args    string
		code    int
		says    string
	}{
		{"unknown command", none, "prunee", exitUsage, `unknown command "prunee"`},
		{"unknown flag", none, "prune --run run --nett x", exitUsage, "unknown flag: --nett"},
		{"flag without value", none, "prune --run run --seed", exitUsage, "flag needs an argument"},
		{"flag of another type", none, "prune --run run --seed x", exitUsage, "--seed"},
		{"enum", none, "prune --run run --schedule triangle", exitUsage, "none of cosine, linear, step"},
		{"network", none, "prune --run run --net lenet", exitUsage, "none of resnet18"},
		{"too many arguments", none, "prune run", exitUsage, `mdp prune takes flags alone, and was given "run"`},
		{"report of nothing", none, "report", exitUsage, "accepts 1 arg"},
		{"budget in words", none, "prune --run run --budget half", exitUsage, "such as 0.5x"},
		{"number out of range", none, "prune --run run --momentum 2", exitUsage, "momentum 2 must be in [0, 1)"},
		{"no run file", none, "prune --run run --config none.yaml", exitUsage, "none.yaml"},
		{"unknown key", file("run.yaml", "seed: 1\nlearning_rate: 1\n"), "prune --run run --config run.yaml", exitUsage, "run.yaml: line 2: there is no key learning_rate"},
		{"value of another type", file("run.yaml", "seed: many\n"), "prune --run run --config run.yaml", exitUsage, "run.yaml: line 1"},
		{"not YAML", file("run.yaml", "seed: [1\n"), "prune --run run --config run.yaml", exitUsage, "run.yaml"},
		{"enum in the run file", file("run.yaml", "net: lenet\n"), "prune --run run --config run.yaml", exitUsage, "none of resnet18"},
		{"damaged config.json", file("run/config.json", "{"), "prune --run run", exitUsage, "config.json"},
		{"number in another notation", none, "bench --model resnet8-cifar --batch 1e3", exitUsage, `invalid argument "1e3" for "--batch" flag: invalid syntax; mdp help`},
		{"network in capitals", none, "bench --model ResNet8_CIFAR", exitUsage, `no network is called "ResNet8_CIFAR"; there is resnet8-cifar`},
		{"two things to measure", none, "bench --model resnet8-cifar --selftest", exitUsage, "--model and --selftest measure different things"},
		{"nothing to measure", none, "bench", exitUsage, "--model NAME for a network's without a run"},
		{"order of a roofline", none, "bench --roofline --sort name", exitUsage, "none of order, time, share, lost"},
		{"first run without data", none, "prune --run other/new --data nowhere --quiet", exitFailed, `data "nowhere"`},
		{"first run without a device", none, "prune --run new --device cuda:700 --quiet", exitFailed, "cuda"},
		{"first run with bad weights", none, "prune --run new --weights run/graph.json --quiet", exitFailed, "graph.json"},
		{"step in a folder of other things", file("mine/letter", "Dear"), "score --run mine", exitFailed, "no run in mine"},
		{"file as a run folder", none, "prune --run run/graph.json", exitUsage, "run/graph.json/config.json: not a directory"},
		{"no run there", none, "score --run elsewhere", exitFailed, "no run in elsewhere"},
		{"no report there", none, "report elsewhere", exitFailed, "elsewhere is no run folder"},
		{"run not finished", remove("run/eval.json"), "report run", exitFailed, "mdp prune"},
		{"step before is missing", remove("run/graph.json"), "score --run run", exitFailed, "graph.json is missing"},
		{"budget too small", none, "prune --run run --budget 0.001x", exitInfeasible, "smallest latency there is"},
		{"nothing to cut", none, "prune --run other --no-train", exitUsage, "say which with --onnx or --weights"},
		{"two networks", none, "prune --run run --onnx x.onnx --weights x.safetensors", exitUsage, "say one of them"},
		{"no ONNX file", none, "prune --run run --onnx none.onnx", exitFailed, "none.onnx"},
		{"ONNX of another format", none, "prune --run run --onnx run/graph.json", exitFailed, "run/graph.json"},
		{"no data given", none, "prune --run run --data=", exitUsage, "say --data DIR, or --no-train"},
		{"no data", none, "prune --run run --data nowhere", exitFailed, `data "nowhere"`},
		{"truncated data", none, "prune --run run --data " + truncated, exitFailed, "truncated"},
		{"diverging", none, "prune --run run --learning-rate 1e30 --checkpoint 1h", exitFailed, "lower learning rate"},
		{"weights of another shape", none, "prune --run run --weights run/0.6x/pruned.safetensors", exitFailed, "the tensors do not fit"},
		{"no weights", none, "prune --run run --weights none.safetensors", exitFailed, "none.safetensors"},
		{"import of nothing", none, "import none.pth", exitUsage, "none.pth"},
		{"import of another format", none, "import run/graph.json", exitUsage, "run/graph.json: not a safetensors file"},
		{"import of no ONNX model", file("run/graph.onnx", "hello"), "import run/graph.onnx", exitUsage, "run/graph.onnx: not an ONNX model"},
		{"import of an ONNX model as a network", none, "import run/graph.onnx --net resnet18", exitUsage, "says itself what network it is"},
		{"import into another network", none, "import run/weights.safetensors --net resnet14-cifar --width 0.25", exitUsage, "resnet14-cifar: 47 do, 30 are missing"},
		{"import of a network that is not ours", none, "import run/0.6x/pruned.safetensors", exitUsage, "fit none of the networks"},
		{"kept channels of no network", none, "import run/0.6x/pruned.safetensors --kept run/graph.json", exitUsage, "--kept needs --net"},
		{"kept channels of another format", none, "import run/0.6x/pruned.safetensors --net resnet8-cifar --width 0.25 --kept run/graph.json", exitUsage, "run/graph.json: kept channels"},
		{"export into nothing", none, "export run", exitUsage, "say --onnx"},
		{"export of nothing", none, "export none --onnx x.onnx", exitUsage, "none is neither a run folder nor"},
		{"export of an unknown budget", none, "export run --budget 0.9x --onnx x.onnx", exitFailed, "the budgets 0.6x"},
		{"export of a damaged choice", file("run/0.6x/choice.json", `{"keep":[[0]]}`), "export run --onnx x.onnx", exitFailed, "the choice is for 1 groups"},
		{"import of another normalisation", none, "import run/weights.safetensors --normalise 1,2/1,2,3,4", exitUsage, "numbers for images of"},
		{"weights of another format", none, "prune --run run --weights run/graph.json", exitFailed, "graph.json"},
		{"damaged latency row", damage("run/latency.jsonl"), "prune --run run", exitFailed, "latency.jsonl"},
		{"damaged record", file("run/steps.json", "{"), "prune --run run", exitFailed, "delete it"},
		{"further device without a budget", none, "prune --run run --with phone.json", exitUsage, `with "phone.json" is no FILE=BUDGET`},
		{"further device's budget", none, "prune --run run --with phone.json=half", exitUsage, "such as 0.5x"},
		{"no further device", none, "prune --run run --with cuda:7=0.5x", exitFailed, "open cuda:7: no such file or directory: measure this network there"},
		{"no further device of a first run", none, "prune --run new --with nowhere=0.5x", exitFailed, "open nowhere: no such file or directory: measure this network there"},
		{"further device, another network", none, "prune --run run --with " + problem + "=0.5x", exitFailed, "measure this network there"},
		{"further device, no problem", none, "prune --run run --with run/graph.json=0.5x", exitFailed, "graph.json"},
		{"further device out of reach", none, "prune --run run --with run=0.001x", exitInfeasible, "budget 0.001x on run is"},
		{"baselines and a further device", none, "prune --run run --with run=0.5x --baselines", exitUsage, "take with or baselines away"},
		{"no problem file", none, "solve none.json", exitUsage, "none.json"},
		{"empty problem file", file("problem.json", ""), "solve problem.json", exitUsage, "problem.json: read problem: it is empty"},
		{"folder as a run file", none, "prune --run run --config run", exitUsage, "mdp: run: read run: is a directory"},
		{"damaged problem file", file("problem.json", `{"name":"x"`), "solve problem.json", exitUsage, "problem.json"},
		{"problem file out of reach", none, "solve " + problem + " --budget 10", exitInfeasible, "smallest latency there is"},
		{"problem file's budget", none, "solve " + problem + " --budget 0.5x", exitUsage, "integer in its unit, us"},
		{"front of a run", none, "solve --run run --front", exitUsage, "frontier.csv"},
		{"shell", none, "completion tcsh", exitUsage, `"tcsh"`},
		{"unknown device", none, "prune --run run --device 7", exitUsage, `device "7" is neither cpu nor a GPU such as cuda:0`},
		{"GPU without a number", none, "prune --run run --device cuda", exitUsage, `device "cuda" is neither`},
		{"GPU that is not there", none, "train --run run --device cuda:700", exitFailed, "cuda"},
		{"precision", none, "prune --run run --precision fp8", exitUsage, "none of fp32, tf32, bf16, fp16"},
		{"precision of the processor", none, "prune --run run --precision tf32", exitUsage, "the processor multiplies in fp32 or bf16"},
		{"instruction set", none, "prune --run run --isa avx1024", exitUsage, "none of avx512"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := finished(t)
			c.prepare(t, dir)
			before := contents(t, dir)
			args := strings.Fields(c.args)
			if strings.Contains(c.args, "--run run") {
				args = slices.Insert(args, 1, "--quiet")
			}
			assertRefused(t, mdp(t, dir, args...), c.code, c.says)
			assert.Equal(t, before, contents(t, dir), "files changed")
			assert.NoDirExists(t, filepath.Join(dir, "new"), "made for nothing")
		})
	}
}

func assertRefused(t *testing.T, o output, code int, says string) {
	t.Helper()
	assert.Equal(t, code, o.code, o.stderr)
	assert.True(t, strings.HasPrefix(o.stderr, "mdp: "), o.stderr)
	assert.Equal(t, 1, strings.Count(o.stderr, "\n"), "one line: %s", o.stderr)
	assert.Contains(t, o.stderr, says)
	if len(says) > 20 { // more than a name
		assert.Equal(t, 1, strings.Count(o.stderr, says), "told twice: %s", o.stderr)
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, name))) }
}

// damage overwrites the middle of a file.
func damage(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		copy(b[len(b)/2:], "}{\n}{")
		write(t, path, string(b))
	}
}

// A limit on the size of files stands in for a full disk: a write comes back short.
func TestFullDisk(t *testing.T) {
	dir := finished(t)
	before := contents(t, dir)
	c := command(t, dir)
	limited := exec.Command("sh", "-c", `ulimit -f 32; exec "$0" prune --run run --seed 7 --quiet`, c.Path)
	limited.Dir, limited.Env = c.Dir, c.Env
	o := execute(t, limited)
	assertRefused(t, o, exitFailed, "file too large")
	assert.Equal(t, before, contents(t, dir))
}
