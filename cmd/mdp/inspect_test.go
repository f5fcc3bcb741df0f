package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every kind of file that a run leaves is shown, and as JSON.
func TestInspect(t *testing.T) {
	dir := finished(t)
	ok(t, dir, "export", "run", "--onnx", "small.onnx", "--safetensors", "small.safetensors")
	for path, want := range map[string][2]string{
		"run":                         {"resnet8-cifar: 28×28×1 in", "rows"},
		"run/0.6x":                    {"resnet8-cifar: 28×28×1 in", "rows"},
		"run/graph.json":              {"resnet8-cifar: 28×28×1 in", "rows"},
		"run/weights.safetensors":     {"resnet8-cifar: 32×32×1 in", "rows"},
		"small.onnx":                  {"28×28×1 in, 1×1×10 out", "rows"},
		"small.safetensors":           {"no network that mdp nets lists", "name"},
		"small.safetensors.kept.json": {"channels kept of resnet8-cifar", "layers"},
		"run/latency.jsonl":           {"configurations of cpu", "header"},
		"run/0.6x/pruned.safetensors": {"conv1.weight", "shape"},
	} {
		assert.Contains(t, ok(t, dir, "inspect", path).stdout, want[0], path)
		assertKeys(t, ok(t, dir, "inspect", path, "--json").stdout, []string{want[1]})
	}
	write(t, filepath.Join(dir, "titanv.pkl"), publishedTable())
	assertKeys(t, ok(t, dir, "inspect", "titanv.pkl", "--json").stdout, []string{"configurations", "batches"})
	ok(t, dir, "inspect", "run", "--svg", "network.svg", "--html", "network.html")
	assert.FileExists(t, filepath.Join(dir, "network.svg"))
	assert.FileExists(t, filepath.Join(dir, "network.html"))
	for path, says := range map[string]string{
		"none": "none", "run/config.json": "neither a graph.json nor kept channels", "run/report.html": "not a safetensors file", ".": "no run folder and no model folder",
	} {
		assertRefused(t, mdp(t, dir, "inspect", path), exitUsage, says)
	}
	assertRefused(t, mdp(t, dir, "inspect", "small.safetensors", "--svg", "x.svg"), exitUsage, "no network that could be drawn")
}
