package data

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func fingerprint(t *testing.T, s *Set) string {
	t.Helper()
	f, err := s.Fingerprint()
	require.NoError(t, err)
	return f
}

// Sets in memory are known by their bytes, not by where they lie.
func TestFingerprintOfIDX(t *testing.T) {
	open := func(dir string) (train, test *Set) {
		train, test, err := OpenIDX(dir)
		require.NoError(t, err)
		return train, test
	}
	dir := writeIDXFolder(t, 3, 4)
	train, test := open(dir)
	elsewhere, _ := open(writeIDXFolder(t, 3, 4))
	assert.Equal(t, fingerprint(t, train), fingerprint(t, elsewhere))
	assert.NotEqual(t, fingerprint(t, train), fingerprint(t, test))
	turned, _ := open(writeIDXFolder(t, 4, 3))
	assert.NotEqual(t, fingerprint(t, train), fingerprint(t, turned))

	writeFile(t, dir, trainLabels+".gz", gzipped(t, idx([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 2}, 12)))
	relabelled, _ := open(dir)
	assert.NotEqual(t, fingerprint(t, train), fingerprint(t, relabelled))
	pixels := count(12 * 12)
	pixels[100]++
	writeFile(t, dir, trainLabels+".gz", gzipped(t, idx([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1}, 12)))
	writeFile(t, dir, trainImages+".gz", gzipped(t, idx(pixels, 12, 3, 4)))
	repainted, _ := open(dir)
	assert.NotEqual(t, fingerprint(t, train), fingerprint(t, repainted))

	assert.NotEqual(t, fingerprint(t, Synthetic(10, 8, 8, 1, 2, 1)), fingerprint(t, Synthetic(10, 8, 8, 1, 2, 2)))
}

// The images of a folder are known by their names, sizes and times.
func TestFingerprintOfFolder(t *testing.T) {
	root := writeImageFolder(t)
	print := func() string {
		train, _, err := OpenFolder(root, 4, 4)
		require.NoError(t, err)
		return fingerprint(t, train)
	}
	before := print()
	assert.Equal(t, before, print())
	file := filepath.Join(root, "train", "cat", "a.png")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(file, time.Time{}, info.ModTime().Add(time.Second)))
	assert.NotEqual(t, before, print())
	require.NoError(t, os.Chtimes(file, time.Time{}, info.ModTime()))
	assert.Equal(t, before, print())
	require.NoError(t, os.Rename(file, filepath.Join(root, "train", "cat", "0.png")))
	assert.NotEqual(t, before, print())
}
