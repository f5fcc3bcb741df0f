package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A table without a run: medians beside the raw samples, more models into the same
// table, and nothing that was measured under other circumstances.
func TestBenchTable(t *testing.T) {
	dir := t.TempDir()
	args := func(more ...string) []string {
		return append(strings.Fields("bench --quiet --json --width 1 --step 64 --batch 1 --out table"), more...)
	}
	var first, second tabled
	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, args("--model", "resnet8-cifar")...).stdout), &first))
	assert.Equal(t, first.Configurations, first.Rows)
	raw, err := os.ReadFile(filepath.Join(dir, "table", "latency.jsonl"))
	require.NoError(t, err)

	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, args("--model", "resnet8-cifar,resnet14-cifar", "--step", "32")...).stdout), &second))
	assert.Greater(t, second.Rows, first.Rows)
	after, err := os.ReadFile(filepath.Join(dir, "table", "latency.jsonl"))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(after), string(raw)), "what was measured stays")

	f, err := os.Open(filepath.Join(dir, "table", "table.csv"))
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(bufio.NewReader(f)).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 1+second.Rows)
	b, err := os.ReadFile(filepath.Join(dir, "table", "table.json"))
	require.NoError(t, err)
	var medians struct {
		Header struct{ Batch int }
		Rows   []struct {
			Key      string
			MedianNS int64
		}
	}
	require.NoError(t, json.Unmarshal(b, &medians))
	assert.Equal(t, 1, medians.Header.Batch)
	require.Len(t, medians.Rows, second.Rows)
	for i, r := range medians.Rows {
		assert.Positive(t, r.MedianNS, r.Key)
		assert.Equal(t, r.Key, lines[i+1][len(lines[0])-1], "both in the order of their keys")
	}

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "first"), 0o755))
	write(t, filepath.Join(dir, "first", "latency.jsonl"), string(raw))
	var c comparison
	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, "bench", "compare", "first", "table/latency.jsonl", "--json").stdout), &c))
	assert.Equal(t, [2]int{0, second.Rows - first.Rows}, c.Only)
	assert.Len(t, c.Rows, first.Rows)
	assert.Equal(t, 1.0, c.Ratio)
	assert.InDelta(t, 1, c.Agree, 1e-9)
	assert.Contains(t, ok(t, dir, "bench", "compare", "table", "first").stdout, fmt.Sprintf("%d rows are in A alone", second.Rows-first.Rows))
	write(t, filepath.Join(dir, "torn", "latency.jsonl"), string(raw[:len(raw)-9]))
	assert.Contains(t, ok(t, dir, "bench", "compare", "table", "torn").stdout, fmt.Sprintf("%d rows are in A alone", second.Rows-first.Rows+1))
	write(t, filepath.Join(dir, "header", "latency.jsonl"), string(raw[:strings.IndexByte(string(raw), '\n')+1]))
	assertRefused(t, mdp(t, dir, "bench", "compare", "table", "header"), exitFailed, "no configuration in common")
	assertRefused(t, mdp(t, dir, "bench", "compare", "table", "none"), exitFailed, "none")
	assertRefused(t, mdp(t, dir, "bench", "compare", "table", "first", "--within", "0"), exitUsage, "--within 0")

	before := contents(t, dir)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--model resnet8-cifar --batch 2", exitFailed, "another batch: 1, now 2; measure into another folder"},
		{"--model resnet8-cifar --isa generic", exitFailed, "another backend"},
		{"--model resnet9", exitUsage, `"resnet9"`},
		{"--model resnet8-cifar --device cuda", exitUsage, "neither cpu nor a GPU"},
		{"--model resnet8-cifar --batch 0", exitUsage, "batch"},
		{"--model resnet8-cifar --impl cudnn", exitUsage, "cuDNN needs a GPU such as cuda:0, not cpu"},
		{"--model resnet8-cifar --impl onednn", exitUsage, "none of mdp, cudnn, cudnn-nchw, both"},
		{"--model resnet8-cifar --caches warm", exitUsage, "neither cold nor hot"},
		{"--model resnet8-cifar --caches hot", exitFailed, "another rule"},
		{"--model resnet8-cifar --out table/table.csv", exitFailed, "table.csv"},
	} {
		assertRefused(t, mdp(t, dir, args(strings.Fields(c.args)...)...), c.code, c.says)
	}
	assert.Equal(t, before, contents(t, dir), "files changed")
}

func TestBenchSelfTest(t *testing.T) {
	dir := t.TempDir()
	var got selfTest
	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, "bench", "--selftest", "--quiet", "--json").stdout), &got))
	assert.Positive(t, got.ClockMHz)
	assert.Positive(t, got.EmptyNS.MedianNS)
	assert.Len(t, got.Probes, 7)
	assert.Equal(t, map[string]string{}, contents(t, dir), "it leaves nothing")
	assertRefused(t, mdp(t, dir, "bench", "--selftest", "--device", "gpu"), exitUsage, "neither cpu nor a GPU")
}
