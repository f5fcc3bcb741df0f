package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
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

	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, args("--model", "resnet8-cifar,mobilenet_v1", "--step", "512")...).stdout), &second))
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
		{"--model resnet8-cifar --out table/table.csv", exitFailed, "table.csv"},
	} {
		assertRefused(t, mdp(t, dir, args(strings.Fields(c.args)...)...), c.code, c.says)
	}
	assert.Equal(t, before, contents(t, dir), "files changed")
}
