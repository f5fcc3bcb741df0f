// Package data holds labelled images and feeds them to training and evaluation:
//
//	Set     images of one size (uint8, HWC) with labels: IDX files, image folders, synthetic
//	Step    one augmentation; a list of them makes a pipeline
//	Loader  batches (float32, NHWC) made by parallel workers, the same for any number of them
package data

import (
	"fmt"
	"hash"
	"math"
)

// Set is labelled images of one size. It is immutable and may be read from many goroutines.
type Set struct {
	Name    string   // for messages
	H, W, C int      // of every image
	Classes []string // names; a label is an index into them
	Labels  []int32  // one per image

	read     func(pix []uint8, i int) error
	identify func(hash.Hash) error // for Fingerprint
}

// Len returns the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Read fills pix (H×W×C, HWC) with image i. The error names the file.
func (s *Set) Read(pix []uint8, i int) error {
	if len(pix) != s.H*s.W*s.C {
		panic("data: Read: pix is not H×W×C long")
	}
	return s.read(pix, i)
}

// inMemory returns a reader of the images that lie one after another in pixels.
func inMemory(pixels []uint8, size int) func(pix []uint8, i int) error {
	return func(pix []uint8, i int) error {
		copy(pix, pixels[i*size:(i+1)*size])
		return nil
	}
}

// MeanStd returns each channel's mean and standard deviation, on the scale where 255 is 1, over at most limit images spread
// evenly over the set (limit ≤ 0: all). The sums are integers, so the result is the same everywhere. A constant
// channel's deviation is given as 1/255, that Normalize may divide by it.
func MeanStd(s *Set, limit int) (mean, std []float32, err error) {
	n := s.Len()
	if n == 0 {
		return nil, nil, fmt.Errorf("%s: no images to take the mean of", s.Name)
	}
	if limit > 0 {
		n = min(n, limit)
	}
	pix := make([]uint8, s.H*s.W*s.C)
	sum, squares := make([]uint64, s.C), make([]uint64, s.C)
	for k := range n {
		if err := s.Read(pix, k*s.Len()/n); err != nil {
			return nil, nil, err
		}
		for i, p := range pix {
			sum[i%s.C] += uint64(p)
			squares[i%s.C] += uint64(p) * uint64(p)
		}
	}
	mean, std = make([]float32, s.C), make([]float32, s.C)
	for c := range s.C {
		pixels := float64(n * s.H * s.W)
		m := float64(sum[c]) / pixels
		variance := float64(squares[c])/pixels - m*m
		mean[c] = float32(m / 255)
		std[c] = float32(math.Sqrt(max(variance, 0)) / 255)
		if std[c] == 0 {
			std[c] = 1.0 / 255
		}
	}
	return mean, std, nil
}
