package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"mdp/engine"
)

// Filled are estimates of configurations that were not measured.
type Filled struct {
	NS     map[string]int64 `json:"ns"`     // by key
	Layers []FilledLayer    `json:"layers"` // that had something to fill in

	// How far off measured cells of those layers were when they were left out.
	MedianPct float64 `json:"median_pct"`
	WorstPct  float64 `json:"worst_pct"`
}

// FilledLayer is how one layer was filled in.
type FilledLayer struct {
	Layer     string     `json:"layer"`
	Measured  int        `json:"measured"`
	Filled    int        `json:"filled"`
	Tile      [2]int     `json:"tile"` // channels in and out that cost the same as a few less
	Model     [4]float64 `json:"model_ns"`
	MedianPct float64    `json:"median_pct"`
	WorstPct  float64    `json:"worst_pct"`
}

// Fill estimates the latency of those of calls that measuredNS lacks, layer by
// layer. Devices compute in tiles of channels, so a latency is a staircase: with
// u and v the channels read and written, each rounded up to whole tiles,
//
//	t(in, out) = (c0 + c1·u + c2·v + c3·u·v) · r,   c ≥ 0
//
// what a call costs anyway, its input, its output, its multiplications; r carries
// what the model misses over from the nearest measured cells. The tile is the one
// whose model says the measured cells best from each other; how well it does is the
// layer's error. A layer of which nothing was measured is an error.
func Fill(calls []engine.Call, measuredNS map[string]int64) (Filled, error) {
	f := Filled{NS: map[string]int64{}}
	layers, order := map[string]*staircase{}, []string(nil)
	for _, c := range calls {
		name := layer(c)
		if layers[name] == nil {
			layers[name] = &staircase{}
			order = append(order, name)
		}
		in, out := channels(c)
		at := cell{key: c.String(), in: float64(in), out: float64(out)}
		if ns, ok := measuredNS[at.key]; ok {
			at.ns = max(1, float64(ns))
			layers[name].measured = append(layers[name].measured, at)
		} else {
			layers[name].missing = append(layers[name].missing, at)
		}
	}
	var off []float64
	for _, name := range order {
		s := layers[name]
		if len(s.missing) == 0 {
			continue
		}
		if len(s.measured) == 0 {
			return Filled{}, fmt.Errorf("nothing of the layer of %s was measured: run mdp bench again", s.missing[0].key)
		}
		s.choose()
		for _, c := range s.missing {
			f.NS[c.key] = int64(math.Round(s.at(c, nil)))
		}
		errors := s.validate()
		off = append(off, errors...)
		l := FilledLayer{Layer: name, Measured: len(s.measured), Filled: len(s.missing), Tile: s.tile, Model: s.model}
		l.MedianPct, l.WorstPct = spread(errors)
		f.Layers = append(f.Layers, l)
	}
	f.MedianPct, f.WorstPct = spread(off)
	return f, nil
}

// spread is the median and the worst, 0 of nothing.
func spread(pct []float64) (middle, worst float64) {
	if len(pct) == 0 {
		return 0, 0
	}
	return median(pct), slices.Max(pct)
}

// cell of a layer's grid of channels.
type cell struct {
	key     string
	in, out float64
	ns      float64
}

// staircase is one layer's model.
type staircase struct {
	measured, missing []cell
	tile              [2]int
	model             [4]float64
}

// tiles to choose from: what vectors, registers and matrix instructions hold.
var tiles = []int{1, 4, 8, 16, 32, 64}

func (s *staircase) terms(c cell) [4]float64 {
	up := func(x float64, tile int) float64 { return math.Ceil(x/float64(tile)) * float64(tile) }
	u, v := up(c.in, s.tile[0]), up(c.out, s.tile[1])
	return [4]float64{1, u, v, u * v}
}

// choose takes the tile, the smallest among equals, that says measured cells best.
func (s *staircase) choose() {
	best, least := *s, math.Inf(1)
	for _, in := range tiles {
		for _, out := range tiles {
			s.tile = [2]int{in, out}
			s.fit(nil)
			sum := 0.0
			for i := range s.measured {
				sum += s.off(i)
			}
			if sum < least*(1-1e-6) {
				best, least = *s, sum
			}
		}
	}
	*s = best
}

// validate is every measured cell's error, in per cent, by a model that is fitted
// without it.
func (s *staircase) validate() (pct []float64) {
	if len(s.measured) < 2 {
		return nil
	}
	for i := range s.measured {
		without := *s
		without.fit(&s.measured[i])
		pct = append(pct, 100*without.off(i))
	}
	return pct
}

// off is the relative error of a measured cell carried over from the others.
func (s *staircase) off(i int) float64 {
	return math.Abs(s.at(s.measured[i], &s.measured[i])/s.measured[i].ns - 1)
}

func (s *staircase) plain(c cell) float64 {
	sum := 0.0
	for i, x := range s.terms(c) {
		sum += s.model[i] * x
	}
	return max(sum, 1e-3)
}

// at is the staircase at a cell times the mean of measured ÷ staircase of the four
// nearest measured cells but one, weighted with one over the squared distance; far
// is a factor in channels, not a difference.
func (s *staircase) at(c cell, but *cell) float64 {
	type near struct{ distance, ratio float64 }
	var all []near
	for i := range s.measured {
		m := &s.measured[i]
		if m == but {
			continue
		}
		d := math.Hypot(math.Log(m.in/c.in), math.Log(m.out/c.out))
		all = append(all, near{d, m.ns / s.plain(*m)})
	}
	if len(all) == 0 {
		return s.plain(c)
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	sum, weights := 0.0, 0.0
	for _, n := range all[:min(4, len(all))] {
		w := 1 / (n.distance*n.distance + 1e-6)
		sum, weights = sum+w*n.ratio, weights+w
	}
	return s.plain(c) * sum / weights
}

// fit is least squares of relative errors with no negative coefficient: of the
// sixteen sets of coefficients that are not zero, the best that has none.
func (s *staircase) fit(but *cell) {
	var normal [4][4]float64
	var right [4]float64
	total := 0.0
	for i := range s.measured {
		m := &s.measured[i]
		if m == but {
			continue
		}
		x := s.terms(*m)
		for a := range x {
			for b := range x {
				normal[a][b] += x[a] * x[b] / (m.ns * m.ns)
			}
			right[a] += x[a] / m.ns
		}
		total++
	}
	least := math.Inf(1)
	for set := 1; set < 16; set++ {
		c, ok := solveSet(set, normal, right)
		if !ok {
			continue
		}
		left := total // Σ (1 − x·c/ns)² = total − c·right at the least
		for i := range c {
			left -= c[i] * right[i]
		}
		if left < least-1e-9 {
			least, s.model = left, c
		}
	}
}

// solveSet solves the normal equations for the coefficients in a set of bits; not
// ok where they have no one solution, or a negative one.
func solveSet(set int, normal [4][4]float64, right [4]float64) (c [4]float64, ok bool) {
	var which []int
	for i := range 4 {
		if set>>i&1 == 1 {
			which = append(which, i)
		}
	}
	a, b := mat.NewSymDense(len(which), nil), mat.NewVecDense(len(which), nil)
	for i, k := range which {
		// Scaled to ones on the diagonal, which makes channels and their product alike.
		b.SetVec(i, right[k]/math.Sqrt(normal[k][k]))
		for j, l := range which {
			a.SetSym(i, j, normal[k][l]/math.Sqrt(normal[k][k]*normal[l][l]))
		}
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(a) || cholesky.Cond() > 1e10 {
		return c, false
	}
	var x mat.VecDense
	if err := cholesky.SolveVecTo(&x, b); err != nil {
		return c, false
	}
	for i, k := range which {
		if x.AtVec(i) < 0 {
			return c, false
		}
		c[k] = x.AtVec(i) / math.Sqrt(normal[k][k])
	}
	return c, true
}
