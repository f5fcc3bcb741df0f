package npy

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files are NumPy's; see testdata/write.py.
func TestRead(t *testing.T) {
	matrix := Array{Dims: []int{2, 3}, Data: []float32{0, 1, -2, 3, 100, -5}}
	others := map[string]Array{
		"bytes.npy": {[]int{3}, []float32{0, 7, 255}, true}, "bools.npy": {[]int{2}, []float32{1, 0}, true},
		"scalar.npy": {nil, []float32{2.5}, false}, "empty.npy": {[]int{0, 4}, []float32{}, false},
	}
	paths, err := filepath.Glob("testdata/*.npy")
	require.NoError(t, err)
	require.Len(t, paths, 18)
	for _, path := range paths {
		a, err := Read(path)
		if strings.Contains(path, "complex") {
			assert.ErrorContains(t, err, "header")
			continue
		}
		require.NoError(t, err, path)
		want, ok := others[filepath.Base(path)]
		if !ok {
			want = matrix
			want.Whole = strings.Contains(path, "-i")
		}
		assert.Equal(t, &want, a, path)
	}
}

// What is written is what NumPy writes, byte for byte.
func TestWrite(t *testing.T) {
	for _, name := range []string{"little-f4.npy", "scalar.npy", "empty.npy"} {
		a, err := Read(filepath.Join("testdata", name))
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, Write(path, a))
		have, err := os.ReadFile(path)
		require.NoError(t, err)
		want, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		assert.Equal(t, want, have, name)
	}
}

func file(header string, data int) []byte {
	b := append([]byte(magic+"\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), make([]byte, data)...)
}

func TestMistakes(t *testing.T) {
	for want, b := range map[string][]byte{
		"does not begin":         []byte("PK\x03\x04 and more"),
		"version 9":              []byte(magic + "\x09\x00\x00\x00\x00\x00"),
		"a header of 65535":      []byte(magic + "\x01\x00\xff\xff{}"),
		"a header of 4294967295": []byte(magic + "\x02\x00\xff\xff\xff\xff"),
		"does not tell":          file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4),
		"are not read":           file("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8),
		"needs 8 bytes":          file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4),
		"none that memory holds": file("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 4),
		"(99999999999999999999":  file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 4),
	} {
		_, err := Decode(b)
		assert.ErrorContains(t, err, want)
	}
}

// Whatever is read is written and read as the same.
func FuzzDecode(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.npy")
	require.NoError(f, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Decode(b)
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		var first, second bytes.Buffer
		require.NoError(t, Encode(&first, a))
		again, err := Decode(first.Bytes())
		require.NoError(t, err)
		require.NoError(t, Encode(&second, again))
		assert.Equal(t, first.Bytes(), second.Bytes())
	})
}
