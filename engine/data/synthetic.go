package data

import (
	"math"
	"math/rand/v2"
	"strconv"
)

// Synthetic returns n images that a small network learns in seconds: class k is a grating,
//
//	pix[y][x][c] = 128 + 64 sin(2π f (x cos θ + y sin θ) + φ + c) + noise,  θ = π/2 · k/classes,  f = (1 + k mod 3)/16 cycles per pixel
//
// with a phase φ in ±π/4 and noise in ±48 drawn from the seed. θ stays below a right angle so that a horizontal
// flip makes no class into another. Different seeds give different images of the same classes; labels go round.
func Synthetic(n, h, w, c, classes int, seed uint64) *Set {
	if n <= 0 || h <= 0 || w <= 0 || c <= 0 || classes <= 0 {
		panic("data: Synthetic: every size must be positive")
	}
	size := h * w * c
	pixels := make([]uint8, 0, n*size)
	s := &Set{Name: "synthetic", H: h, W: w, C: c, Labels: make([]int32, n)}
	for class := range classes {
		s.Classes = append(s.Classes, strconv.Itoa(class))
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		class := i % classes
		s.Labels[i] = int32(class)
		frequency := 2 * math.Pi * float64(1+class%3) / 16
		sin, cos := math.Sincos(math.Pi / 2 * float64(class) / float64(classes))
		phase := (rng.Float64() - 0.5) * math.Pi / 2
		for y := range h {
			for x := range w {
				for ch := range c {
					wave := math.Sin(frequency*(float64(x)*cos+float64(y)*sin) + phase + float64(ch))
					noise := (rng.Float64() - 0.5) * 96
					pixels = append(pixels, uint8(128+64*wave+noise))
				}
			}
		}
	}
	s.read, s.identify = inMemory(pixels, size), byPixels(pixels)
	return s
}

// openSynthetic returns the set that `synthetic` names.
func openSynthetic() (train, test *Set) {
	return Synthetic(2000, 28, 28, 1, 10, 1), Synthetic(500, 28, 28, 1, 10, 2)
}
