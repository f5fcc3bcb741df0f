package onnx

import "mdp/engine/graph"

// Dims are the dimensions of the model's tensor of n samples of the given shape.
func (p Port) Dims(n int, s graph.Shape) []int {
	dims := make([]int, len(p.Axes))
	for i, a := range p.Axes {
		dims[i] = p.extent(a, n, s)
	}
	return dims
}

func (p Port) extent(axis rune, n int, s graph.Shape) int {
	switch axis {
	case 'B':
		return n
	case 'C', 'F':
		return s.C
	case 'H':
		return s.H
	case 'W':
		return s.W
	}
	return 1
}

// ToImages arranges n samples as a program takes them: dst[n,h,w,c] from the model's src.
func (p Port) ToImages(dst, src []float32, n int, s graph.Shape) {
	p.each(n, s, func(ours, theirs int) { dst[ours] = src[theirs] })
}

// FromImages arranges what a program gives as the model does: dst from src[n,h,w,c].
func (p Port) FromImages(dst, src []float32, n int, s graph.Shape) {
	p.each(n, s, func(ours, theirs int) { dst[theirs] = src[ours] })
}

func (p Port) each(n int, s graph.Shape, f func(ours, theirs int)) {
	stride := map[rune]int{}
	size, axes := 1, []rune(p.Axes)
	for i := len(axes) - 1; i >= 0; i-- {
		stride[axes[i]] = size
		size *= p.extent(axes[i], n, s)
	}
	ours := 0
	for b := range n {
		for h := range s.H {
			for w := range s.W {
				at := b*stride['B'] + h*stride['H'] + w*stride['W']
				for c := range s.C {
					f(ours, at+c*stride['C']+theirs(p.Order, c)*stride['F'])
					ours++
				}
			}
		}
	}
}
