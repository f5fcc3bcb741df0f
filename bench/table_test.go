package bench

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func open(t *testing.T, path string) *Table {
	table, err := OpenTable(path, header())
	require.NoError(t, err)
	t.Cleanup(func() { table.Close() })
	return table
}

// measured is the path and the bytes of a table of grid(3).
func measured(t *testing.T) (path string, data []byte) {
	path = filepath.Join(t.TempDir(), "latency.jsonl")
	table := open(t, path)
	require.NoError(t, table.Measure(context.Background(), fake{}, grid(3), nil))
	require.NoError(t, table.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return path, data
}

func TestTableMeasuresAndResumes(t *testing.T) {
	path, data := measured(t)

	table := open(t, path)
	assert.Empty(t, table.Notice())
	assert.Equal(t, 9, table.Len())
	for _, c := range grid(3) {
		row, ok := table.Find(c.String())
		assert.True(t, ok)
		assert.Equal(t, fakeNS(c), row.MedianNS)
	}
	_, ok := table.Find(conv(4, 4).String())
	assert.False(t, ok)

	type step struct{ done, total int }
	var steps []step
	calls := append(grid(4), grid(4)...)
	require.NoError(t, table.Measure(context.Background(), fake{}, calls, func(done, total int, left time.Duration) {
		steps = append(steps, step{done, total})
		assert.GreaterOrEqual(t, left, time.Duration(0))
	}))
	assert.Equal(t, []step{{0, 7}, {1, 7}, {2, 7}, {3, 7}, {4, 7}, {5, 7}, {6, 7}, {7, 7}}, steps)
	require.NoError(t, table.Measure(context.Background(), fake{}, calls, nil))

	h, rows, err := ReadTable(path)
	require.NoError(t, err)
	assert.Equal(t, header(), h)
	assert.Len(t, rows, 16)
	assert.Equal(t, WithChannels(conv(8, 8), 3, 3).String(), rows[0].Key, "the largest first")
	for i, corner := range [][2]int{{1, 3}, {3, 1}, {1, 1}, {2, 3}} {
		assert.Equal(t, WithChannels(conv(8, 8), corner[0], corner[1]).String(), rows[i+1].Key, "then the other corners")
	}
	for _, r := range rows {
		assert.NotEmpty(t, r.SamplesNS)
		assert.False(t, r.StartedAt.IsZero())
		assert.Positive(t, r.CostNS)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, data, after[:len(data)], "old rows stay as they were")
}

func TestTableStopsWhereItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latency.jsonl")
	table := open(t, path)
	ctx, cancel := context.WithCancel(context.Background())
	err := table.Measure(ctx, fake{}, grid(3), func(done, _ int, _ time.Duration) {
		if done == 4 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	_, rows, err := ReadTable(path)
	require.NoError(t, err)
	assert.Len(t, rows, 4)
}

// A table cut off at every byte opens again with the rows that were whole.
func TestTableCutOff(t *testing.T) {
	path, data := measured(t)
	for at := range data {
		if at%7 != 0 && data[at] != '\n' && (at == 0 || data[at-1] != '\n') {
			continue // each line's ends, and a seventh of the rest
		}
		require.NoError(t, os.WriteFile(path, data[:at], 0o644))
		table, err := OpenTable(path, header())
		require.NoError(t, err, "cut at byte %d", at)
		whole := max(0, strings.Count(string(data[:at]), "\n")-1)
		assert.Equal(t, whole, table.Len(), "cut at byte %d", at)
		torn := at > 0 && data[at-1] != '\n'
		assert.Equal(t, torn, table.Notice() != "", "cut at byte %d", at)
		require.NoError(t, table.Close())
		_, rows, err := ReadTable(path)
		require.NoError(t, err)
		assert.Len(t, rows, whole)
	}
}

func TestTableRefuses(t *testing.T) {
	path, data := measured(t)
	lines := strings.SplitAfter(string(data), "\n")
	replace := func(i int, s string) string {
		return strings.Join(lines[:i], "") + s + strings.Join(lines[i+1:], "")
	}
	for name, c := range map[string]struct{ file, want string }{
		"not a table":    {"hello\n", "line 1 is not the header of a latency table"},
		"a short file":   {"hi", "line 1 is not the header of a latency table"},
		"no header":      {strings.Join(lines[1:], ""), "line 1 is not the header"},
		"another format": {replace(0, strings.Replace(lines[0], `"version":2`, `"version":3`, 1)), "line 1: table version 3"},
		"unknown field":  {replace(0, strings.Replace(lines[0], `"version"`, `"colour":"red","version"`, 1)), "colour"},
		"a garbled row":  {replace(3, "{\"key\":\x00\n"), "line 4: does not parse"},
		"half a row":     {replace(3, lines[3][:20]+"\n"), "line 4: does not parse"},
		"an empty line":  {replace(3, "\n"), "line 4: does not parse"},
		"two in one":     {replace(3, strings.TrimSpace(lines[3])+lines[4]), "line 4: does not parse: more than one value"},
		"a changed row":  {replace(3, strings.Replace(lines[3], `"medianNS":`, `"medianNS":1`, 1)), "line 4: median 1"},
		"no samples":     {replace(3, `{"key":"k","samplesNS":[]}`+"\n"), "line 4: a row needs a key and samples"},
		"no reference":   {replace(3, `{"key":"k","medianNS":1,"lowNS":1,"highNS":1,"samplesNS":[1]}`+"\n"), "line 4: reference \"\" of 0 ns"},
		"negative":       {replace(3, `{"key":"k","medianNS":-1,"lowNS":-1,"highNS":-1,"samplesNS":[-1]}`+"\n"), "line 4: sample of -1 ns"},
		"twice":          {replace(3, lines[1]), "line 4 repeats"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(c.file), 0o644))
			_, err := OpenTable(path, header())
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), "\n")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, c.file, string(after), "a refused file stays as it is")
		})
	}
}

func TestTableRefusesToMix(t *testing.T) {
	path, data := measured(t)
	for field, change := range map[string]func(*Header){
		"machine": func(h *Header) { h.Machine = "x" },
		"CPU":     func(h *Header) { h.CPU = "x" },
		"backend": func(h *Header) { h.Backend = "cpu avx2, 1 thread" },
		"build":   func(h *Header) { h.Build = "x" },
		"batch":   func(h *Header) { h.Batch = 64 },
		"rule":    func(h *Header) { h.Rule.MaxRSD = 0.5 },

		"device":       func(h *Header) { h.Driver = "550.54, for CUDA 12.4" },
		"clock policy": func(h *Header) { h.Settings.PowerLimitW = 350 },
	} {
		h := header()
		change(&h)
		_, err := OpenTable(path, h)
		require.ErrorContains(t, err, "another "+field)
		var other *OtherHeaderError
		require.ErrorAs(t, err, &other)
		assert.Equal(t, header(), other.Table)
		require.ErrorContains(t, err, "another folder")
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, data, after)
	}
	later := header()
	later.Date = time.Now().UTC()
	table, err := OpenTable(path, later)
	require.NoError(t, err)
	require.NoError(t, table.Close())

	h := header()
	h.Backend = "cpu"
	table, err = OpenTable(filepath.Join(t.TempDir(), "other"), h)
	require.NoError(t, err)
	defer table.Close()
	require.ErrorContains(t, table.Measure(context.Background(), fake{}, grid(1), nil), `"cpu", not "fake"`)
}

func TestTableExcludes(t *testing.T) {
	path, _ := measured(t)
	first := open(t, path)
	_, err := OpenTable(path, header())
	require.ErrorContains(t, err, "another process is measuring into it")
	_, rows, err := ReadTable(path)
	require.NoError(t, err, "reading beside is allowed")
	assert.Len(t, rows, 9)
	require.NoError(t, first.Close())
	open(t, path)
}

// A file that cannot grow, as on a full disk, keeps the rows it has; when there
// is room again, the same table goes on.
func TestTableOnFullDisk(t *testing.T) {
	path, data := measured(t)
	table := open(t, path)

	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	full := old
	full.Cur = uint64(len(data)) + 50
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full))
	err := table.Measure(context.Background(), fake{}, grid(4), nil)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old))
	require.ErrorContains(t, err, "keeps its 9 rows")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, data, after)

	require.NoError(t, table.Measure(context.Background(), fake{}, grid(4), nil))
	_, rows, err := ReadTable(path)
	require.NoError(t, err)
	assert.Len(t, rows, 16)
}

func TestTableNowhere(t *testing.T) {
	_, err := OpenTable(filepath.Join(t.TempDir(), "no", "such", "folder"), header())
	require.ErrorContains(t, err, "open latency table")
	_, _, err = ReadTable(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "read latency table")
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o644))
	_, _, err = ReadTable(empty)
	require.ErrorContains(t, err, "measure first")
}

func TestNewHeader(t *testing.T) {
	h, err := NewHeader(fake{}, 8, quick())
	require.NoError(t, err)
	assert.NoError(t, h.Check(h))
	for name, s := range map[string]string{"machine": h.Machine, "os": h.OS, "build": h.Build, "go": h.Go, "backend": h.Backend} {
		assert.NotEmpty(t, s, name)
	}
	data, err := json.Marshal(h)
	require.NoError(t, err)
	c, err := parse(append(data, '\n'))
	require.NoError(t, err)
	assert.Equal(t, h, c.header)
}

// Whatever the bytes: no panic, no more than the file holds, and what was read
// is written as it was.
func FuzzParse(f *testing.F) {
	h, _ := json.Marshal(header())
	r, _ := json.Marshal(Row{Key: "k", Reference: "k", ReferenceNS: 2, Result: Summarise([]int64{1, 2, 3})})
	table := string(h) + "\n" + string(r) + "\n"
	for _, s := range []string{"", "\n", table, table[:len(table)-5], string(h), table + string(r) + "\n", "{}\n{}\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parse(data)
		if err != nil {
			return
		}
		assert.Equal(t, len(data), c.good+c.torn)
		again, err := parse(data[:c.good])
		require.NoError(t, err)
		assert.Equal(t, c.rows, again.rows)
		for _, r := range c.rows {
			line, err := json.Marshal(r)
			require.NoError(t, err)
			back, err := parseRow(line)
			require.NoError(t, err)
			assert.Equal(t, r, back)
		}
	})
}
