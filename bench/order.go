package bench

import (
	"cmp"
	"math/bits"
	"slices"

	"mdp/engine"
)

// coarseFirst orders calls so that a table cut short is useful: of each layer the
// corners of its grid of channels, then the grid of twice as many points, and so on,
// each the widest first and the layers in turn. Of a layer and a grid as many as
// together go with one another that write as many channels, so that none finds less of
// its output in the caches than others do, and of which none is more than twice as large
// as another: small calls want more samples.
func coarseFirst(calls []engine.Call, together int) [][]engine.Call {
	type cell struct {
		engine.Call
		in, out, size, depth, rank, layer int
	}
	var layers [][]*cell
	number := map[string]int{}
	for _, c := range calls {
		name := layer(c)
		n, ok := number[name]
		if !ok {
			n = len(layers)
			number[name] = n
			layers = append(layers, nil)
		}
		in, out := channels(c)
		layers[n] = append(layers[n], &cell{Call: c, in: in, out: out, size: size(c), layer: n})
	}
	var all []*cell
	for _, of := range layers {
		in, out, square := map[int]int{}, map[int]int{}, true // it writes as many as it reads
		for _, c := range of {
			in[c.in], out[c.out] = 0, 0
			square = square && c.in == c.out
		}
		depths(in)
		depths(out)
		for _, c := range of {
			c.depth = max(in[c.in], out[c.out])
		}
		slices.SortStableFunc(of, func(a, b *cell) int {
			return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(b.out, a.out), cmp.Compare(b.in, a.in))
		})
		first := 0 // of those that go together
		for i, c := range of {
			switch {
			case c.depth != of[first].depth:
				first = i
			case i-first >= together, 2*c.size < of[first].size, c.out != of[first].out && !square:
				c.rank = of[first].rank + 1
				first = i
			default:
				c.rank = of[first].rank
			}
		}
		all = append(all, of...)
	}
	slices.SortStableFunc(all, func(a, b *cell) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.rank, b.rank), cmp.Compare(a.layer, b.layer))
	})
	var groups [][]engine.Call
	for i, c := range all {
		if i == 0 || c.depth != all[i-1].depth || c.rank != all[i-1].rank || c.layer != all[i-1].layer {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], c.Call)
	}
	return groups
}

// depths gives each width the number of halvings after which a grid has it: 0 the
// largest and the smallest, 1 one near their middle, 2 those of the halves, ….
func depths(widths map[int]int) {
	var sorted []int
	for w := range widths {
		sorted = append(sorted, w)
	}
	slices.Sort(sorted)
	last := len(sorted) - 1
	for i, w := range sorted {
		switch {
		case i == 0 || i == last:
			widths[w] = 0
		default:
			grid := bits.Len(uint(last - 1)) // halvings until every point is there
			widths[w] = grid - bits.TrailingZeros(uint(i))
		}
	}
}
