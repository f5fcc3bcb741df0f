package data

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// training returns options with every random step.
func training(batch int) Options {
	return Options{Batch: batch, Train: true, Seed: 7, Steps: []Step{
		RandomCrop(2), HorizontalFlip(), RandomResizedCrop(6, 5, 0.3), Normalize([]float32{0.5, 0.5}, []float32{0.25, 0.2}),
	}}
}

// made is one answer of Next.
type made struct {
	Images []float32
	Labels []int32
	EOF    bool
}

// next takes n answers of a new loader.
func next(t testing.TB, set *Set, o Options, n int) []made {
	l, err := NewLoader(set, o)
	require.NoError(t, err)
	defer l.Close()
	h, w, c := l.h, l.w, set.C
	images, labels := make([]float32, o.Batch*h*w*c), make([]int32, o.Batch)
	var all []made
	for range n {
		n, err := l.Next(images, labels)
		if err == io.EOF {
			all = append(all, made{EOF: true})
			continue
		}
		require.NoError(t, err)
		all = append(all, made{slices.Clone(images[:n*h*w*c]), slices.Clone(labels[:n]), false})
	}
	return all
}

// TestBytes: a recipe's bytes and moves, moved and normalised, are the images that
// its steps make.
func TestBytes(t *testing.T) {
	set := Synthetic(37, 7, 5, 2, 3, 1)
	mean, std, err := MeanStd(set, 0)
	require.NoError(t, err)
	for _, r := range []Recipe{{Crop: 2, Flip: true}, {Crop: 1}, {Flip: true}, {}} {
		r.Mean, r.Std = mean, std
		var steps []Step
		if r.Crop > 0 {
			steps = append(steps, RandomCrop(r.Crop))
		}
		if r.Flip {
			steps = append(steps, HorizontalFlip())
		}
		const batch, h, w, c = 8, 7, 5, 2
		o := Options{Batch: batch, Train: true, Seed: 3, Steps: append(steps, Normalize(mean, std))}
		made, err := NewLoader(set, o)
		require.NoError(t, err)
		o.Steps, o.Recipe = nil, &r
		raw, err := NewLoader(set, o)
		require.NoError(t, err)
		images, labels := make([]float32, batch*h*w*c), make([]int32, batch)
		pixels, moves, same := make([]uint8, batch*h*w*c), make([]float32, 3*batch), make([]int32, batch)
		for range 3 * (made.batches + 1) {
			n, err := made.Next(images, labels)
			m, errOfBytes := raw.NextBytes(pixels, moves, same)
			require.Equal(t, err, errOfBytes)
			require.Equal(t, n, m)
			require.Equal(t, labels, same)
			for i := range n * h * w * c {
				b, y, x, ch := i/(h*w*c), i/(w*c)%h, i/c%w, i%c
				dy, dx := int(moves[3*b]), int(moves[3*b+1])
				if moves[3*b+2] != 0 {
					x = w - 1 - x
				}
				v := float32(0)
				if y, x := y+dy, x+dx; y >= 0 && y < h && x >= 0 && x < w {
					v = float32(pixels[((b*h+y)*w+x)*c+ch]) / 255
				}
				require.Equal(t, (v-mean[ch])*(1/std[ch]), images[i])
			}
		}
		made.Close()
		raw.Close()
	}
}

func TestBatchesDoNotDependOnWorkers(t *testing.T) {
	set := Synthetic(50, 8, 7, 2, 5, 3)
	for _, batch := range []int{1, 7, 50} {
		o := training(batch)
		o.Workers = 1
		want := next(t, set, o, 3*(50/batch+1))
		for _, o.Workers = range []int{2, 3, 8} {
			require.Equal(t, want, next(t, set, o, len(want)), "batch %d, %d workers", batch, o.Workers)
		}
	}
}

// TestResume: a loader started anywhere gives what is left of the one from the beginning, bit for bit.
func TestResume(t *testing.T) {
	set := Synthetic(30, 8, 7, 2, 5, 3)
	o := training(7) // 4 batches and the end make an epoch
	want := next(t, set, o, 15)
	for o.StartEpoch = range 3 {
		for o.StartBatch = range 5 {
			rest := want[5*o.StartEpoch+o.StartBatch:]
			require.Equal(t, rest, next(t, set, o, len(rest)), "epoch %d batch %d", o.StartEpoch, o.StartBatch)
		}
	}
}

// TestEvaluation: the set's order, every image, the last batch partial.
func TestEvaluation(t *testing.T) {
	set := Synthetic(10, 3, 3, 1, 10, 1)
	all := next(t, set, Options{Batch: 4, Seed: 1}, 8)
	require.Equal(t, all[:4], all[4:], "each epoch is the same")
	var images []float32
	var labels []int32
	for _, m := range all[:3] {
		images, labels = append(images, m.Images...), append(labels, m.Labels...)
	}
	assert.Len(t, all[2].Labels, 2)
	assert.True(t, all[3].EOF)
	assert.Equal(t, set.Labels, labels)
	for i, p := range pixels(t, set) {
		require.Equal(t, float32(p)/255, images[i])
	}
}

// TestShuffle: each epoch has every image once, in an order of its own; another seed gives other orders.
func TestShuffle(t *testing.T) {
	set := Synthetic(64, 1, 1, 1, 64, 1) // labels are indices
	epochs := func(seed uint64) (orders [][]int32) {
		for i, m := range next(t, set, Options{Batch: 8, Train: true, Seed: seed}, 3*9) {
			if i%9 == 0 {
				orders = append(orders, nil)
			}
			orders[i/9] = append(orders[i/9], m.Labels...)
		}
		return orders
	}
	a, b := epochs(1), epochs(2)
	for _, orders := range [][][]int32{a, b} {
		for _, order := range orders {
			assert.Equal(t, set.Labels, slices.Sorted(slices.Values(order)))
		}
		assert.NotEqual(t, orders[0], orders[1])
		assert.NotEqual(t, orders[1], orders[2])
	}
	assert.NotEqual(t, a[0], b[0])
}

// TestDrawsAreIndependent: neighbouring images and epochs do not share their flips.
func TestDrawsAreIndependent(t *testing.T) {
	set := &Set{H: 1, W: 2, C: 1, Labels: make([]int32, 256), read: func(pix []uint8, _ int) error {
		pix[0], pix[1] = 0, 255
		return nil
	}}
	all := next(t, set, Options{Batch: 256, Steps: []Step{HorizontalFlip()}}, 3)
	flips, changes, agree := 0, 0, 0
	for i := range 256 {
		first, second := all[0].Images[2*i] == 1, all[2].Images[2*i] == 1
		if first {
			flips++
		}
		if i > 0 && first != (all[0].Images[2*i-2] == 1) {
			changes++
		}
		if first == second {
			agree++
		}
	}
	for _, n := range []int{flips, changes, agree} { // four standard deviations of 256 coins
		assert.InDelta(t, 128, n, 32)
	}
}

// TestUnreadableImage: the error names the first bad file of the batch for any number of workers, and other batches are not touched by it.
func TestUnreadableImage(t *testing.T) {
	root := writeImageFolder(t)
	for _, name := range []string{"c", "d", "e", "f", "g", "h"} {
		writeFile(t, root, "train/dog/"+name+".png", encodePNG(t, flat(5, 5, green)))
	}
	bad := writeFile(t, root, "train/dog/d.png", []byte("not an image"))
	writeFile(t, root, "train/dog/e.png", nil)
	train, _, err := OpenFolder(root, 4, 4)
	require.NoError(t, err)
	for workers := range 4 {
		l, err := NewLoader(train, Options{Batch: 3, Workers: workers})
		require.NoError(t, err)
		images, labels := make([]float32, 3*4*4*3), make([]int32, 3)
		for batch := range 3 {
			n, err := l.Next(images, labels)
			if batch == 1 {
				require.EqualError(t, err, bad+": image: unknown format")
				continue
			}
			require.NoError(t, err)
			assert.Equal(t, 3, n)
		}
		_, err = l.Next(images, labels)
		assert.Equal(t, io.EOF, err)
		l.Close()
	}
	require.NoError(t, os.RemoveAll(filepath.Join(root, "train")))
}

func TestLoaderRefuses(t *testing.T) {
	set := Synthetic(10, 4, 4, 1, 2, 1)
	for _, c := range []struct {
		err string
		o   Options
	}{
		{"batch 0 must be positive", Options{}},
		{"workers -1", Options{Batch: 1, Workers: -1}},
		{"its 10 images do not fill a batch of 11", Options{Batch: 11, Train: true}},
		{"cannot start at batch 4 of an epoch of 3", Options{Batch: 3, Train: true, StartBatch: 4}},
		{"random crop: padding -1", Options{Batch: 1, Steps: []Step{RandomCrop(-1)}}},
	} {
		_, err := NewLoader(set, c.o)
		require.ErrorContains(t, err, c.err)
		assert.ErrorContains(t, err, "synthetic")
	}
	l, err := NewLoader(set, Options{Batch: 2})
	require.NoError(t, err)
	assert.Panics(t, func() { l.Next(make([]float32, 31), make([]int32, 2)) })
	l.Close()
}

// TestClose: no worker stays behind, whatever it was doing, and Next does not wait for ever.
func TestClose(t *testing.T) {
	set := Synthetic(20, 4, 4, 1, 2, 1)
	before := runtime.NumGoroutine()
	for taken := range 12 {
		l, err := NewLoader(set, Options{Batch: 4, Train: true, Workers: 4})
		require.NoError(t, err)
		images, labels := make([]float32, 4*16), make([]int32, 4)
		for range taken {
			l.Next(images, labels)
		}
		l.Close()
		l.Close()
		_, err = l.Next(images, labels)
		if err == io.EOF {
			_, err = l.Next(images, labels)
		}
		require.EqualError(t, err, "data: the loader is closed")
	}
	for wait := 0; runtime.NumGoroutine() > before && wait < 100; wait++ {
		time.Sleep(time.Millisecond) // a goroutine that is done may be counted a moment longer
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestNoGarbagePerBatch(t *testing.T) {
	set := Synthetic(64, 8, 7, 2, 5, 3)
	o := training(8)
	l, err := NewLoader(set, o)
	require.NoError(t, err)
	defer l.Close()
	h, w, c := l.h, l.w, set.C
	images, labels := make([]float32, o.Batch*h*w*c), make([]int32, o.Batch)
	for range 50 { // every worker has its buffers
		l.Next(images, labels)
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { l.Next(images, labels) }))
}

// BenchmarkLoader is the training pipeline of the demo: 28×28 grey, crop, flip, normalise.
func BenchmarkLoader(b *testing.B) {
	set := Synthetic(10000, 28, 28, 1, 10, 1)
	o := Options{Batch: 128, Train: true, Steps: []Step{RandomCrop(4), HorizontalFlip(), Normalize([]float32{0.5}, []float32{0.25})}}
	l, err := NewLoader(set, o)
	require.NoError(b, err)
	defer l.Close()
	images, labels := make([]float32, o.Batch*28*28), make([]int32, o.Batch)
	n := 0
	for b.Loop() {
		made, _ := l.Next(images, labels)
		n += made
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "images/s")
}
