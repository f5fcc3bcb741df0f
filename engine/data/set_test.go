package data

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMeanStd(t *testing.T) {
	s := &Set{Name: "two channels", H: 1, W: 2, C: 2, Labels: make([]int32, 2)}
	s.read = inMemory([]uint8{0, 51, 255, 51, 0, 51, 255, 51}, 4)
	mean, std, err := MeanStd(s, 0)
	require.NoError(t, err)
	assert.Equal(t, []float32{0.5, 0.2}, mean)
	assert.Equal(t, []float32{0.5, 1.0 / 255}, std, "a constant channel's deviation is not zero")

	_, _, err = MeanStd(&Set{Name: "none"}, 0)
	require.ErrorContains(t, err, "none")
}

func TestReadPanicsOnWrongBuffer(t *testing.T) {
	s := Synthetic(1, 2, 2, 1, 1, 0)
	assert.Panics(t, func() { s.Read(make([]uint8, 3), 0) })
	assert.Panics(t, func() { Synthetic(1, 0, 2, 1, 1, 0) })
}

func TestSynthetic(t *testing.T) {
	train, test := openSynthetic()
	assert.Equal(t, pixels(t, train), pixels(t, Synthetic(2000, 28, 28, 1, 10, 1)), "the seed makes the set")
	assert.NotEqual(t, pixels(t, train)[:784], pixels(t, test)[:784])
	assert.Greater(t, centroidAccuracy(t, train, test), 0.95)
	assert.Greater(t, centroidAccuracy(t, Synthetic(200, 8, 9, 3, 4, 1), Synthetic(80, 8, 9, 3, 4, 2)), 0.9)
}

// TestFashionMNIST reads a few hundred real images where scripts/data has been run.
func TestFashionMNIST(t *testing.T) {
	train, test, err := Open("fashion-mnist", 28)
	if err != nil {
		require.ErrorContains(t, err, "run scripts/data")
		t.Skip(err)
	}
	require.Equal(t, 60000, train.Len())
	require.Equal(t, 10000, test.Len())
	classes := make([]int, len(train.Classes))
	for _, l := range train.Labels {
		classes[l]++
	}
	for _, n := range classes {
		assert.Equal(t, 6000, n)
	}
	mean, std, err := MeanStd(train, 500)
	require.NoError(t, err)
	assert.InDelta(t, 0.2860, mean[0], 0.02) // the figures everyone uses
	assert.InDelta(t, 0.3530, std[0], 0.02)

	few := &Set{H: 28, W: 28, C: 1, Classes: train.Classes, Labels: train.Labels[:500], read: train.read}
	assert.Greater(t, centroidAccuracy(t, few, &Set{H: 28, W: 28, C: 1, Labels: test.Labels[:300], read: test.read}), 0.6)
}

func TestOpen(t *testing.T) {
	dir := writeIDXFolder(t, 28, 28)
	t.Setenv("MDP_DATA", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", os.Getenv("XDG_CACHE_HOME"))

	train, test, err := Open("synthetic", 0)
	require.NoError(t, err)
	assert.Equal(t, []int{2000, 500}, []int{train.Len(), test.Len()})
	_, _, err = Open("synthetic", 32)
	require.EqualError(t, err, "synthetic: its images are 28×28, not the 32×32 asked for")
	_, _, err = Open("synthetic", -1)
	require.ErrorContains(t, err, "negative")
	_, _, err = Open("fashion", 0)
	require.ErrorContains(t, err, `data "fashion": neither`)

	_, _, err = Open("fashion-mnist", 0)
	require.ErrorContains(t, err, "run scripts/data")
	t.Setenv("MDP_DATA", dir)
	train, _, err = Open("fashion-mnist", 0)
	require.NoError(t, err)
	assert.Equal(t, "ankle boot", train.Classes[9])

	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(cache, "mdp"), 0o755))
	require.NoError(t, os.Symlink(dir, filepath.Join(cache, "mdp", "fashion-mnist")))
	t.Setenv("MDP_DATA", t.TempDir()) // without the files: the cache is next
	_, _, err = Open("fashion-mnist", 0)
	require.NoError(t, err)

	train, _, err = Open(dir, 0)
	require.NoError(t, err)
	assert.Equal(t, "9", train.Classes[9])

	folder := writeImageFolder(t)
	train, _, err = Open(folder, 6)
	require.NoError(t, err)
	assert.Equal(t, []int{6, 6, 3}, []int{train.H, train.W, train.C})
	train, _, err = Open(folder, 0)
	require.NoError(t, err)
	assert.Equal(t, []int{224, 224, 3}, []int{train.H, train.W, train.C})
}

func pixels(t testing.TB, s *Set) []uint8 {
	size := s.H * s.W * s.C
	all := make([]uint8, s.Len()*size)
	for i := range s.Len() {
		require.NoError(t, s.Read(all[i*size:(i+1)*size], i))
	}
	return all
}

// centroidAccuracy classifies the test images by the nearest mean image of a class.
func centroidAccuracy(t testing.TB, train, test *Set) float64 {
	size := train.H * train.W * train.C
	centroids := make([][]float64, len(train.Classes))
	members := make([]float64, len(train.Classes))
	for k := range centroids {
		centroids[k] = make([]float64, size)
	}
	all := pixels(t, train)
	for i, l := range train.Labels {
		members[l]++
		for j, p := range all[i*size : (i+1)*size] {
			centroids[l][j] += float64(p)
		}
	}
	right := 0
	all = pixels(t, test)
	for i, l := range test.Labels {
		best, nearest := math.Inf(1), -1
		for k, centroid := range centroids {
			var distance float64
			for j, p := range all[i*size : (i+1)*size] {
				d := float64(p) - centroid[j]/members[k]
				distance += d * d
			}
			if distance < best {
				best, nearest = distance, k
			}
		}
		if nearest == int(l) {
			right++
		}
	}
	return float64(right) / float64(test.Len())
}
