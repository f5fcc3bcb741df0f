package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// publishedTable is a table such as HALP's of everything that a small network
// may become at a batch of 256: a microsecond for each pair of channels.
func publishedTable() string {
	var b strings.Builder
	b.WriteString("(d")
	for _, size := range []int{28, 14, 7} {
		for _, shape := range []string{"3_1", "3_2", "1_1", "1_2"} {
			for out := 4; out <= 16; out += 4 {
				for _, in := range []int{1, 4, 8, 12, 16} {
					fmt.Fprintf(&b, "V256_%d_%d_%d_%s_1\nF%g\ns", in, out, size, shape, float64(in*out)/1e3)
				}
			}
		}
	}
	return b.String() + "."
}

// A published table becomes a problem that mdp solve takes, alone and beside
// this machine's own.
func TestImportTable(t *testing.T) {
	dir := finished(t)
	write(t, filepath.Join(dir, "titanv.pkl"), publishedTable())
	csv := strings.Split(ok(t, dir, "import-table", "titanv.pkl").stdout, "\n")
	assert.Equal(t, "batch,c_in,c_out,size,kernel,stride,groups,latency_ns", csv[0])
	assert.Equal(t, "256,1,4,7,1,1,1,4000", csv[1])
	assert.Len(t, csv, 1+3*4*4*5+1)

	before := contents(t, dir)
	text := ok(t, dir, "import-table", "titanv.pkl", "--run", "run", "--budget", "0.5x").stdout
	assert.Equal(t, before, contents(t, dir), "the run itself is as it was")
	write(t, filepath.Join(dir, "titanv.json"), text)
	var p struct {
		Capacity int64
		Layers   []struct {
			Name    string
			Latency json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	// conv1 1→4; six convolutions of 4→4, 4→8, 8→8, 8→16, 16→16 and two shortcuts 4→8, 8→16.
	dense := 1000 * (1*4 + 4*4 + 4*4 + 4*8 + 8*8 + 8*16 + 16*16 + 4*8 + 8*16)
	assert.EqualValues(t, dense/2, p.Capacity)
	assert.Equal(t, "conv1", p.Layers[0].Name)
	assert.Contains(t, ok(t, dir, "solve", "titanv.json").stdout, "optimal")

	joint := ok(t, dir, "solve", filepath.Join("run", "problem.json"), "--with", "titanv.json", "--budget", fmt.Sprintf("1000000000,%d", dense/2), "--json")
	var a struct {
		Status string
		Costs  []int64
	}
	require.NoError(t, json.Unmarshal([]byte(joint.stdout), &a))
	assert.Equal(t, "optimal", a.Status)
	require.Len(t, a.Costs, 2)
	assert.LessOrEqual(t, a.Costs[1], int64(dense/2))

	write(t, filepath.Join(dir, "damaged.pkl"), publishedTable()[:1000])
	write(t, filepath.Join(dir, "two.pkl"), "(dV1_3_4_32_3_1\nF1\nsV2_3_4_32_3_1\nF1\ns.")
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"import-table none.pkl":                             {exitUsage, "none.pkl"},
		"import-table damaged.pkl":                          {exitUsage, "published table damaged.pkl: pickle: cut off after 1000 bytes"},
		"import-table run/graph.json":                       {exitUsage, "published table run/graph.json"},
		"import-table titanv.pkl --run run --step 3":        {exitFailed, "give a --step that its channels are multiples of"},
		"import-table titanv.pkl --run none":                {exitFailed, "graph.json"},
		"import-table two.pkl --run run":                    {exitFailed, "lacks"},
		"import-table two.pkl --run run --latency-batch 64": {exitUsage, "two.pkl has rows of batches [1 2], not 64"},
	} {
		assertRefused(t, mdp(t, dir, strings.Fields(args)...), want.code, want.says)
	}
}
