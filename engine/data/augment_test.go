package data

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ramp returns an image whose pixels are 1, 2, 3, …
func ramp(h, w, c int) *Image {
	m := &Image{H: h, W: w, C: c}
	for i := range h * w * c {
		m.Pix = append(m.Pix, float32(i+1))
	}
	return m
}

func apply(t testing.TB, m *Image, step Step, seed uint64) *Image {
	require.NoError(t, step(m, rand.New(rand.NewPCG(seed, 0))))
	require.Len(t, m.Pix, m.H*m.W*m.C)
	return m
}

// TestRandomCrop: each result is the image moved by some (dy, dx), and every one of the moves is met.
func TestRandomCrop(t *testing.T) {
	const h, w, c = 3, 2, 2
	for _, pad := range []int{0, 1, 4} { // 4: more than the image
		seen := map[string]bool{}
		want := map[string]bool{}
		for dy := -pad; dy <= pad; dy++ {
			for dx := -pad; dx <= pad; dx++ {
				want[key(moved(ramp(h, w, c), dy, dx))] = true
			}
		}
		for seed := range uint64(2000) {
			m := apply(t, ramp(h, w, c), RandomCrop(pad), seed)
			require.True(t, want[key(m.Pix)], "pad %d seed %d: %v", pad, seed, m.Pix)
			seen[key(m.Pix)] = true
		}
		assert.Equal(t, want, seen)
	}
}

func moved(m *Image, dy, dx int) []float32 {
	out := make([]float32, len(m.Pix))
	for y := range m.H {
		for x := range m.W {
			if sy, sx := y+dy, x+dx; sy >= 0 && sy < m.H && sx >= 0 && sx < m.W {
				copy(out[(y*m.W+x)*m.C:][:m.C], m.Pix[(sy*m.W+sx)*m.C:])
			}
		}
	}
	return out
}

func key(pix []float32) string {
	b := make([]byte, len(pix))
	for i, p := range pix {
		b[i] = byte(p)
	}
	return string(b)
}

func TestHorizontalFlip(t *testing.T) {
	flipped := []float32{5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8}
	flips := 0
	for seed := range uint64(200) {
		m := apply(t, ramp(2, 3, 2), HorizontalFlip(), seed)
		if m.Pix[0] != 1 {
			assert.Equal(t, flipped, m.Pix)
			flips++
		}
	}
	assert.InDelta(t, 100, flips, 40)
}

// TestResample: by exact fractions on small integers.
func TestResample(t *testing.T) {
	m := ramp(3, 4, 2)
	whole := append([]float32{}, m.Pix...)
	m.resample(0, 0, 3, 4, 3, 4)
	assert.Equal(t, whole, m.Pix, "the same size is the same image")
	m.resample(1, 1, 2, 2, 1, 1)
	assert.Equal(t, []float32{(11 + 13 + 19 + 21) / 4.0, (12 + 14 + 20 + 22) / 4.0}, m.Pix, "the mean of four")

	m = ramp(1, 2, 1)
	m.resample(0, 0, 1, 2, 2, 4)
	assert.Equal(t, []float32{1, 1.25, 1.75, 2, 1, 1.25, 1.75, 2}, m.Pix, "edges are repeated")
}

// TestRandomResizedCrop: of an image whose pixels are their coordinates, bilinear sampling gives the crop's coordinates back.
func TestRandomResizedCrop(t *testing.T) {
	const h, w = 40, 30
	for seed := range uint64(300) {
		m := &Image{H: h, W: w, C: 2}
		for i := range h * w {
			m.Pix = append(m.Pix, float32(i/w), float32(i%w))
		}
		apply(t, m, RandomResizedCrop(16, 16, 0.25), seed)
		assert.Equal(t, []int{16, 16}, []int{m.H, m.W})
		cropH := float64(m.Pix[2*(12*16)]-m.Pix[2*(4*16)]) * 2
		cropW := float64(m.Pix[2*12+1]-m.Pix[2*4+1]) * 2
		area := cropH * cropW / (h * w)
		assert.True(t, area > 0.22 && area <= 1.0001, "seed %d: area %g", seed, area)
		ratio := cropW / cropH
		assert.True(t, ratio > 0.7 && ratio < 1.43, "seed %d: ratio %g", seed, ratio)
	}
}

func TestNormalize(t *testing.T) {
	m := apply(t, ramp(1, 2, 2), Normalize([]float32{1, 2}, []float32{2, 4}), 0)
	assert.Equal(t, []float32{0, 0, 1, 0.5}, m.Pix)
}

func TestStepsRefuse(t *testing.T) {
	for name, step := range map[string]Step{
		"random crop":         RandomCrop(-1),
		"random resized crop": RandomResizedCrop(4, 4, 0),
		"mean of 1 channels":  Normalize([]float32{0}, []float32{1}),
		"std must be":         Normalize([]float32{0, 0}, []float32{1, 0}),
	} {
		require.ErrorContains(t, step(ramp(4, 4, 2), rand.New(rand.NewPCG(0, 0))), name)
	}
}
