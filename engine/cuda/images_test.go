//go:build cuda || emu

package cuda

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/data"
)

// checkImages makes the images that the data package makes, bit for bit, or as they
// are rounded to the backend's storage.
func checkImages(t *testing.T, b *Backend) {
	const n, h, w, c, pad = 7, 9, 6, 3, 4
	mean, std := []float32{0.48, 0.45, 0.4}, []float32{0.2, 0.3, 0.25}
	pixels := make([]uint8, n*h*w*c)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range pixels {
		pixels[i] = uint8(r.Uint32())
	}
	crop, flip, normalise := data.RandomCrop(pad), data.HorizontalFlip(), data.Normalize(mean, std)
	var want, draws []float32
	for i := range n {
		m := &data.Image{H: h, W: w, C: c}
		for _, p := range pixels[i*h*w*c:][:h*w*c] {
			m.Pix = append(m.Pix, float32(p)/255)
		}
		again := rand.New(rand.NewPCG(3, uint64(i)))
		dy, dx, flipped := again.IntN(2*pad+1)-pad, again.IntN(2*pad+1)-pad, again.IntN(2)
		draws = append(draws, float32(dy), float32(dx), float32(flipped))
		same := rand.New(rand.NewPCG(3, uint64(i)))
		for _, step := range []data.Step{crop, flip, normalise} {
			require.NoError(t, step(m, same))
		}
		want = append(want, m.Pix...)
	}
	packed := make([]float32, ceilDiv(len(pixels), 4))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&packed[0])), len(pixels)), pixels)
	scale := make([]float32, c)
	for i, s := range std {
		scale[i] = 1 / s
	}

	call := engine.LoadImages{N: n, H: h, W: w, C: c, Y: 1, Pixels: 2, Moves: 3, Mean: 4, Scale: 5}
	e, err := b.Prepare(engine.Alone(b, call))
	require.NoError(t, err)
	for i, x := range [][]float32{packed, draws, mean, scale} {
		require.NoError(t, e.Write(engine.Buffer(2+i), x))
	}
	require.NoError(t, e.Run(0, 1))
	got := make([]float32, len(want))
	require.NoError(t, e.Read(got, call.Y))
	words := make([]float32, b.storage.Words(len(want)))
	b.storage.Encode(words, want)
	b.storage.Decode(want, words)
	require.Equal(t, want, got)
	require.NoError(t, e.Close())
}
