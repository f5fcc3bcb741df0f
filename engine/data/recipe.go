package data

import "math/rand/v2"

// Recipe is the usual steps of training as numbers, for a device that takes them
// itself: RandomCrop where Crop > 0, HorizontalFlip where Flip is set, Normalize.
type Recipe struct {
	Crop      int // padding in pixels
	Flip      bool
	Mean, Std []float32 // by channel, 255 being 1
}

// moves draws what RandomCrop and HorizontalFlip draw: dy, dx and whether it is
// flipped, 1 or 0.
func (r *Recipe) moves(dst []float32, rng *rand.Rand) {
	clear(dst[:3])
	if r.Crop > 0 {
		dst[0] = float32(rng.IntN(2*r.Crop+1) - r.Crop)
		dst[1] = float32(rng.IntN(2*r.Crop+1) - r.Crop)
	}
	if r.Flip {
		dst[2] = float32(rng.IntN(2))
	}
}
