package engine

import (
	"fmt"
	"unsafe"
)

// LoadImages makes a batch of a training's images on the device, from a quarter of
// the bytes that float32 would take to upload. It is data.RandomCrop,
// data.HorizontalFlip and data.Normalize, bit for bit:
//
//	for n, h, w, c, with (dy, dx, flip) = moves[n] and w' = W−1−w if flip ≠ 0, else w:
//	  y[n,h,w,c] = (pixels[n, h+dy, w'+dx, c] / 255 − mean[c]) · scale[c]
//
// where pixels outside the image are 0. Pixels holds bytes, four in the place of
// a float32.
type LoadImages struct {
	N, H, W, C                    int
	Y, Pixels, Moves, Mean, Scale Buffer
}

func (c LoadImages) len() int { return c.N * c.H * c.W * c.C }

func (c LoadImages) Operands() []Operand {
	return operands{}.out("y", c.Y, c.len()).in("pixels", c.Pixels, (c.len()+3)/4).in("moves", c.Moves, 3*c.N).in("mean", c.Mean, c.C).in("scale", c.Scale, c.C).activations("y")
}

func (c LoadImages) String() string {
	return fmt.Sprintf("load_images/n%d_%dx%dx%d", c.N, c.H, c.W, c.C)
}

// asFloats is the memory of a batch's bytes as float32s hold it; their number is
// rounded up, so bytes made by MakePixels alone have room for the last.
func asFloats(pixels []byte) []float32 {
	n := (len(pixels) + 3) / 4
	if 4*n > cap(pixels) {
		panic("engine: pixels were not made by MakePixels")
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(pixels))), n)
}

// MakePixels makes room for n bytes of images.
func MakePixels(n int) []byte {
	words := make([]float32, (n+3)/4)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 4*len(words))[:n]
}
