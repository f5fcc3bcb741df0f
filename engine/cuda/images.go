package cuda

import (
	"fmt"
	"unsafe"

	"mdp/engine"
)

// LoadImages makes a batch of a training's images on the device, from a quarter of
// the bytes that float32 would take to upload. It is data.RandomCrop,
// data.HorizontalFlip and data.Normalize, bit for bit:
//
//	for n, h, w, c, with (dy, dx, flip) = draws[n] and w' = W−1−w if flip ≠ 0, else w:
//	  y[n,h,w,c] = (pixels[n, h+dy, w'+dx, c] / 255 − mean[c]) · scale[c]
//
// where pixels outside the image are 0. Pixels holds bytes as PackBytes puts them.
type LoadImages struct {
	N, H, W, C                    int
	Y, Pixels, Draws, Mean, Scale engine.Buffer
}

func (c LoadImages) len() int { return c.N * c.H * c.W * c.C }

func (c LoadImages) Operands() []engine.Operand {
	in := func(name string, b engine.Buffer, n int) engine.Operand {
		return engine.Operand{Name: name, Buffer: b, Len: n, Read: true}
	}
	return []engine.Operand{{Name: "y", Buffer: c.Y, Len: c.len(), Write: true}, in("pixels", c.Pixels, ceilDiv(c.len(), 4)),
		in("draws", c.Draws, 3*c.N), in("mean", c.Mean, c.C), in("scale", c.Scale, c.C)}
}

func (c LoadImages) String() string {
	return fmt.Sprintf("load_images/n%d_%dx%dx%d", c.N, c.H, c.W, c.C)
}

// PackBytes fills float32s with bytes, four to each, as LoadImages reads them. Dst
// has len(src)/4, rounded up.
func PackBytes(dst []float32, src []byte) {
	if len(dst) != ceilDiv(len(src), 4) {
		panic(fmt.Sprintf("cuda: %d bytes packed into %d float32", len(src), len(dst)))
	}
	if len(src) > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 4*len(dst)), src)
	}
}
