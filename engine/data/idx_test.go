package data

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenIDX(t *testing.T) {
	train, test, err := OpenIDX(writeIDXFolder(t, 2, 3))
	require.NoError(t, err)
	assert.Equal(t, []int{12, 2, 3, 1}, []int{train.Len(), train.H, train.W, train.C})
	assert.Equal(t, []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1}, train.Labels)
	assert.Equal(t, count(12*6), pixels(t, train))
	assert.Equal(t, count(10*6), pixels(t, test))
	assert.Len(t, test.Classes, 10)

	_, _, err = OpenFashionMNIST(writeIDXFolder(t, 2, 3))
	require.ErrorContains(t, err, "2×3 images of 10 classes are not Fashion-MNIST's")
}

func TestIDXErrors(t *testing.T) {
	whole := idx(count(10*6), 10, 2, 3)
	for _, c := range []struct {
		name, file, err string
		b               []byte
	}{
		{"empty", testImages, "truncated: 16 bytes of header expected, 0 found", nil},
		{"header cut", testImages, "truncated: 16 bytes of header expected, 7 found", whole[:7]},
		{"data cut", testImages, "truncated: 60 bytes of data of shape [10 2 3] expected, 59 found", whole[:len(whole)-1]},
		{"data over", testImages, "more than the 60 bytes", append(whole, 0)},
		{"labels for images", testImages, "magic 0x00000803 expected, 0x00000801 found", idx(count(100), 100)},
		{"floats", testLabels, "magic 0x00000801 expected, 0x00000d01 found", []byte{0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0}},
		{"zero", testImages, "dimension 0 of 0", idx(nil, 0, 2, 3)},
		{"huge", testImages, "dimension 1 of 4294967295", idx(nil, 1<<32-1, 1<<32-1, 1<<32-1)},
		{"large", testImages, "truncated: 1000000000000 bytes", idx(nil, 10000, 10000, 10000)},
		{"count", testLabels, "10 images, ", idx(count(9), 9)},
		{"size", testImages, "training images are 2×3, test images 3×2", idx(count(10*6), 10, 3, 2)},
		{"not gzip", trainImages + ".gz", "gzip: invalid header", whole},
		{"gzip cut", trainImages + ".gz", "truncated: 60 bytes of data", gzipped(t, whole)[:40]},
		{"gzip sum", trainImages + ".gz", "gzip: invalid checksum", flipByte(gzipped(t, whole), -5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := writeIDXFolder(t, 2, 3)
			path := writeFile(t, dir, c.file, c.b)
			_, _, err := OpenIDX(dir)
			require.ErrorContains(t, err, c.err)
			if c.name != "size" {
				assert.ErrorContains(t, err, path)
			}
		})
	}
	dir := writeIDXFolder(t, 2, 3)
	path := filepath.Join(dir, testLabels)
	require.NoError(t, os.Remove(path))
	_, _, err := OpenIDX(dir)
	require.ErrorContains(t, err, path+": not found")
}

func flipByte(b []byte, at int) []byte {
	b[len(b)+at] ^= 1
	return b
}

// FuzzReadIDX: whatever the bytes, readIDX neither panics nor returns data that are not all of the file.
func FuzzReadIDX(f *testing.F) {
	f.Add(idx(count(12), 2, 2, 3), byte(3))
	f.Add(idx(count(4), 4), byte(1))
	f.Add(idx(nil, 1<<31, 1<<31, 4), byte(3))
	f.Add([]byte{0, 0, 8}, byte(0))
	f.Fuzz(func(t *testing.T, b []byte, rank byte) {
		dims, data, err := readIDX(bytes.NewReader(b), int(rank%5))
		if err != nil {
			return
		}
		var again []uint32
		for _, d := range dims {
			again = append(again, uint32(d))
		}
		require.Equal(t, b, idx(data, again...))
	})
}
