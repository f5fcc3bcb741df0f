package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

func published(t testing.TB, text string) (*Published, error) {
	path := filepath.Join(t.TempDir(), "lut.pkl")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return ReadPublished(path)
}

func square(n, c, k, size, kernel, stride, groups int) engine.Conv {
	return engine.Conv{N: n, H: size, W: size, C: c, K: k, R: kernel, S: kernel, P: size / stride, Q: size / stride,
		Stride: [2]int{stride, stride}, Pad: [2]int{kernel / 2, kernel / 2}, Dilation: [2]int{1, 1}, Groups: groups}
}

func TestPublishedLatencies(t *testing.T) {
	// The last value is a NumPy scalar of 0.25, as Python's pickle writes it.
	table, err := published(t, "(dV256_3_64_224_7_2_1\nF1.5\nsV256_32_32_112_3_1_32\nI2\nsV64_8_8_7_1_1_1\n"+
		"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(Vf8\nI00\nI01\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntbC\x08\x00\x00\x00\x00\x00\x00\xd0\x3ftRs.")
	require.NoError(t, err)
	assert.Equal(t, 3, table.Len())
	assert.Equal(t, []int{64, 256}, table.Batches())
	irregular := square(256, 3, 64, 224, 7, 2, 1)
	irregular.Pad = [2]int{2, 2}
	dilated := square(64, 8, 8, 7, 1, 1, 1)
	dilated.Dilation = [2]int{2, 2}
	for _, c := range []struct {
		conv engine.Conv
		ns   int64
		ok   bool
	}{
		{square(256, 3, 64, 224, 7, 2, 1), 1_500_000, true},
		{square(256, 32, 32, 112, 3, 1, 32), 2_000_000, true},
		{square(64, 8, 8, 7, 1, 1, 1), 250_000, true},
		{square(128, 3, 64, 224, 7, 2, 1), 0, false},
		{square(256, 2, 64, 224, 7, 2, 1), 0, false},
		{irregular, 0, false},
		{dilated, 0, false},
	} {
		ns, ok := table.LatencyNS(c.conv)
		assert.Equal(t, c.ok, ok, c.conv)
		assert.Equal(t, c.ns, ns, c.conv)
	}
	var b bytes.Buffer
	require.NoError(t, table.WriteCSV(&b))
	assert.Equal(t, "batch,c_in,c_out,size,kernel,stride,groups,latency_ns\n64,8,8,7,1,1,1,250000\n256,3,64,224,7,2,1,1500000\n256,32,32,112,3,1,32,2000000\n", b.String())
}

// A table of every second channel, without groups, as the one for ResNet-50 is.
func TestPublishedNeighbours(t *testing.T) {
	table, err := published(t, "(dV256_2_64_224_7_2\nF1\nsV256_4_64_224_7_2\nF2\ns.")
	require.NoError(t, err)
	ns, ok := table.LatencyNS(square(256, 3, 64, 224, 7, 2, 1))
	assert.True(t, ok)
	assert.EqualValues(t, 1_500_000, ns)
	_, ok = table.LatencyNS(square(256, 6, 64, 224, 7, 2, 1))
	assert.False(t, ok)
	_, ok = table.LatencyNS(square(256, 4, 64, 224, 7, 2, 2))
	assert.False(t, ok, "its rows are not of groups")
}

func TestPublishedTablesThatAreNone(t *testing.T) {
	for text, says := range map[string]string{
		"":                                   "cut off",
		"<html>":                             "opcode",
		"].":                                 "not a dictionary",
		"}.":                                 "not a dictionary",
		"}(]q\x00h\x00a\x85F1\nu.":           "a key is a pickle.Tuple",
		"(dI1\nF1\ns.":                       "a key is a int64",
		"(dV256_3_64\nF1\ns.":                `key "256_3_64" is not batch_in_out`,
		"(dV256_3_64_224_7_x\nF1\ns.":        "is not batch_in_out",
		"(dV256_3_64_224_7_0\nF1\ns.":        "is not batch_in_out",
		"(dV1_1_1_1_1_1\nVx\ns.":             `latency of "1_1_1_1_1_1": string is no number`,
		"(dV1_1_1_1_1_1\nF-1\ns.":            `is -1 ms`,
		"(dV1_1_1_1_1_1\nFnan\ns.":           `is NaN ms`,
		"(dV1_1_1_1_1_1\ncos\nsystem\n(tRs.": "os.system is no number",
		"(dV1_1_1_1_1_1\nF1\nsV1_1_1_1_1_1_1\nF1\ns.": "has 7 numbers, others have 6",
	} {
		_, err := published(t, text)
		assert.ErrorContains(t, err, says, "%q", text)
	}
}

func FuzzReadPublished(f *testing.F) {
	f.Add([]byte("(dV256_3_64_224_7_2_1\nF1.5\ns."))
	f.Add([]byte("(dV1_1_1_1_1_1\ncnumpy\nscalar\n(cnumpy\ndtype\n(Vf4\ntRC\x04\x00\x00\x80\x3ftRs."))
	path := filepath.Join(f.TempDir(), "lut.pkl")
	f.Fuzz(func(t *testing.T, b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o644))
		table, err := ReadPublished(path)
		if err != nil {
			return
		}
		require.Positive(t, table.Len())
		for _, n := range table.Batches() {
			ns, _ := table.LatencyNS(square(n, 1, 1, 1, 1, 1, 1))
			require.GreaterOrEqual(t, ns, int64(0))
		}
	})
}
