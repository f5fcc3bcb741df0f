package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// idx returns the bytes of an IDX file; data may be of another length than dims say.
func idx(data []byte, dims ...uint32) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func gzipped(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func writeFile(t testing.TB, dir, name string, b []byte) string {
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, b, 0o644))
	return path
}

// count returns n bytes 0, 1, 2, …
func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// writeIDXFolder writes a tiny data set, its training half gzipped: 12 and 10 images of h×w, labels 0..9 and round.
func writeIDXFolder(t testing.TB, h, w int) string {
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		trainImages + ".gz": gzipped(t, idx(count(12*h*w), 12, uint32(h), uint32(w))),
		trainLabels + ".gz": gzipped(t, idx([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1}, 12)),
		testImages:          idx(count(10*h*w), 10, uint32(h), uint32(w)),
		testLabels:          idx(count(10), 10),
	} {
		writeFile(t, dir, name, b)
	}
	return dir
}
