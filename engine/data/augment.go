package data

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// Image is one image on its way through the steps: float32, HWC, 255 being 1 at the start.
type Image struct {
	H, W, C int
	Pix     []float32 // H×W×C

	spare []float32 // the other buffer of remake
}

// remake gives the image a new size and unspecified pixels, and returns the old pixels, which hold until the next remake.
func (m *Image) remake(h, w int) (old []float32) {
	n := h * w * m.C
	if cap(m.spare) < n {
		m.spare = make([]float32, n)
	}
	m.H, m.W = h, w
	m.Pix, m.spare = m.spare[:n], m.Pix
	return m.spare
}

// A Step changes an image, drawing all that is random from rng. The size it leaves depends on the size it
// finds alone. The error says which images it cannot take. Steps are shared by the loader's workers, so they keep no state.
type Step func(m *Image, rng *rand.Rand) error

// RandomCrop moves the image by up to pad pixels each way; what comes in is zero:
//
//	dst[y][x] = src[y+dy][x+dx], dy and dx uniform in -pad..pad
func RandomCrop(pad int) Step {
	return func(m *Image, rng *rand.Rand) error {
		if pad < 0 {
			return fmt.Errorf("random crop: padding %d is negative", pad)
		}
		dy, dx := rng.IntN(2*pad+1)-pad, rng.IntN(2*pad+1)-pad
		row := m.W * m.C
		src := m.remake(m.H, m.W)
		clear(m.Pix)
		from, to := max(0, dx)*m.C, min(m.W, m.W+dx)*m.C // of the source row
		for y := max(0, -dy); y < min(m.H, m.H-dy) && from < to; y++ {
			copy(m.Pix[y*row+max(0, -dx)*m.C:], src[(y+dy)*row+from:(y+dy)*row+to])
		}
		return nil
	}
}

// HorizontalFlip mirrors every second image: dst[y][x] = src[y][W-1-x].
func HorizontalFlip() Step {
	return func(m *Image, rng *rand.Rand) error {
		if rng.IntN(2) == 0 {
			return nil
		}
		src := m.remake(m.H, m.W)
		for y := range m.H {
			for x := range m.W {
				copy(m.Pix[(y*m.W+x)*m.C:][:m.C], src[(y*m.W+m.W-1-x)*m.C:])
			}
		}
		return nil
	}
}

// RandomResizedCrop scales a random part of the image to h×w (bilinear): its area is uniform in minArea..1 of the image's,
// the logarithm of its width over height uniform in ±log(4/3), its place uniform (Szegedy et al., arXiv 1409.4842).
// ImageNet's recipe has minArea 0.08.
func RandomResizedCrop(h, w int, minArea float64) Step {
	return func(m *Image, rng *rand.Rand) error {
		if h <= 0 || w <= 0 || !(minArea > 0 && minArea <= 1) {
			return fmt.Errorf("random resized crop to %d×%d of area %g..1: sizes must be positive, the area in (0, 1]", h, w, minArea)
		}
		cropH, cropW := m.H, m.W // should ten draws not fit
		for range 10 {
			area := (minArea + (1-minArea)*rng.Float64()) * float64(m.H*m.W)
			ratio := math.Exp((2*rng.Float64() - 1) * math.Log(4.0/3))
			tryH, tryW := int(math.Round(math.Sqrt(area/ratio))), int(math.Round(math.Sqrt(area*ratio)))
			if 0 < tryH && tryH <= m.H && 0 < tryW && tryW <= m.W {
				cropH, cropW = tryH, tryW
				break
			}
		}
		m.resample(rng.IntN(m.H-cropH+1), rng.IntN(m.W-cropW+1), cropH, cropW, h, w)
		return nil
	}
}

// resample scales the crop at (y0, x0) of cropH×cropW to h×w, pixel centres at halves, edges repeated within the crop:
//
//	dst[y][x] = bilinear(src, y0 + (y+½)·cropH/h - ½, x0 + (x+½)·cropW/w - ½)
func (m *Image) resample(y0, x0, cropH, cropW, h, w int) {
	row := m.W * m.C
	src := m.remake(h, w)
	for y := range h {
		ya, yb, fy := neighbours(y, h, cropH)
		above, below := src[(y0+ya)*row:], src[(y0+yb)*row:]
		for x := range w {
			xa, xb, fx := neighbours(x, w, cropW)
			a, b := (x0+xa)*m.C, (x0+xb)*m.C
			for c := range m.C {
				top := above[a+c] + fx*(above[b+c]-above[a+c])
				bottom := below[a+c] + fx*(below[b+c]-below[a+c])
				m.Pix[(y*w+x)*m.C+c] = top + fy*(bottom-top)
			}
		}
	}
}

// neighbours returns the two source pixels (of `from`) around destination pixel i (of `to`), and the second's weight.
func neighbours(i, to, from int) (a, b int, weight float32) {
	at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
	at = min(max(at, 0), float64(from-1))
	a = int(at)
	return a, min(a+1, from-1), float32(at - float64(a))
}

// Normalize makes each channel c into (pix - mean[c]) / std[c], mean and std as MeanStd gives them.
func Normalize(mean, std []float32) Step {
	return func(m *Image, _ *rand.Rand) error {
		if len(mean) != m.C || len(std) != m.C {
			return fmt.Errorf("normalise: mean of %d channels and std of %d for an image of %d", len(mean), len(std), m.C)
		}
		for c := range m.C {
			if !(std[c] > 0) {
				return errors.New("normalise: std must be positive")
			}
			scale := 1 / std[c]
			for i := c; i < len(m.Pix); i += m.C {
				m.Pix[i] = (m.Pix[i] - mean[c]) * scale
			}
		}
		return nil
	}
}
