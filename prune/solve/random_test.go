package solve

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
)

// seeded returns a generator that depends on the case's name only: run the
// subtest of that name to replay a failure.
func seeded(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

var shapes = []string{"chain", "star", "cycle", "tree", "residual", "loose"}

// randomProblem makes a small problem of the given shape: latency not monotone, zero cells,
// equal options, fixed groups and sides, layers without importance, blocks of any extent.
func randomProblem(r *rand.Rand, shape string, groups, maxOptions int) *Problem {
	p := &Problem{Name: shape, Constant: pick(r, 0, 0, 7, 1000)}
	for g := range groups {
		lo := r.IntN(2)
		hi := lo + r.IntN(maxOptions)
		p.Groups = append(p.Groups, Group{ID: g, Options: hi + 1 + r.IntN(2), MinOption: lo, MaxOption: hi})
	}
	blocks := 1 + r.IntN(5)
	for b := range blocks {
		p.Blocks = append(p.Blocks, Block{ID: b, Prunable: b > 0 && r.IntN(5) > 0})
	}
	layer := func(own, prev, block int) {
		p.Layers = append(p.Layers, randomLayer(r, p, own, prev, block))
	}
	for g := range groups {
		switch shape {
		case "chain":
			layer(g, g-1, r.IntN(blocks))
		case "star":
			layer(g, 0, r.IntN(blocks))
		case "cycle":
			layer(g, (g+1)%groups, r.IntN(blocks))
		case "tree":
			layer(g, r.IntN(g+1)-1, g%blocks)
		case "loose":
			layer(r.IntN(groups+1)-1, r.IntN(groups+1)-1, r.IntN(blocks))
		}
	}
	if shape == "residual" { // streams 0..1, the other groups inside blocks
		layer(0, -1, 0)
		for g := 2; g < groups; g++ {
			block, in, out := (g-1)%blocks, r.IntN(2), r.IntN(2)
			layer(g, in, block)
			layer(out, g, block)
		}
		if groups > 1 {
			layer(1, 0, 0)
		}
	}
	for range r.IntN(3) {
		layer(r.IntN(groups), -1, r.IntN(blocks))
	}
	return p
}

func randomLayer(r *rand.Rand, p *Problem, own, prev, block int) Layer {
	options := func(g int) int {
		if g < 0 {
			return 1
		}
		return p.Groups[g].Options
	}
	l := Layer{Name: fmt.Sprintf("layer%d", len(p.Layers)), Group: own, PrevGroup: prev, Block: block}
	top := pick(r, 3, 30, 1000)
	if own >= 0 && r.IntN(6) > 0 || r.IntN(6) == 0 {
		sum := int64(0)
		for range options(own) {
			l.Importance = append(l.Importance, sum)
			sum += r.Int64N(top+1) * int64(r.IntN(3))
		}
		if r.IntN(4) == 0 {
			r.Shuffle(len(l.Importance), func(i, j int) {
				l.Importance[i], l.Importance[j] = l.Importance[j], l.Importance[i]
			})
		}
		if r.IntN(8) == 0 {
			for i := range l.Importance {
				l.Importance[i] -= top
			}
		}
	}
	cell := func(i, j int) int64 {
		if r.IntN(10) == 0 {
			return 0
		}
		return r.Int64N(top+1) + int64(i*j)*top/4
	}
	if prev < 0 && r.IntN(2) == 0 || prev == own && r.IntN(2) == 0 {
		for i := range options(own) {
			l.Latency.Own = append(l.Latency.Own, cell(i, i))
		}
		return l
	}
	for i := range options(own) {
		row := make([]int64, options(prev))
		for j := range row {
			row[j] = cell(i, j+1)
		}
		l.Latency.Pair = append(l.Latency.Pair, row)
	}
	return l
}

func pick(r *rand.Rand, values ...int64) int64 { return values[r.IntN(len(values))] }

// everyConfiguration calls visit with what each configuration keeps and costs.
func everyConfiguration(p *Problem, visit func(importance, latency int64)) {
	everyChoice(p, func(options []int, blocks []bool) {
		importance, latency, err := p.Evaluate(options, blocks)
		if err != nil {
			panic(err)
		}
		visit(importance, latency)
	})
}

// everyChoice calls visit with each configuration.
func everyChoice(p *Problem, visit func(options []int, blocks []bool)) {
	options, blocks := make([]int, len(p.Groups)), make([]bool, len(p.Blocks))
	var choose func(i int)
	choose = func(i int) {
		switch {
		case i < len(p.Groups):
			for o := range p.Groups[i].choices() {
				options[i] = o
				choose(i + 1)
			}
		case i < len(p.Groups)+len(p.Blocks):
			b := i - len(p.Groups)
			blocks[b] = true
			choose(i + 1)
			if p.Blocks[b].Prunable {
				blocks[b] = false
				choose(i + 1)
			}
		default:
			visit(options, blocks)
		}
	}
	choose(0)
}

// few is the number of cases to try: a tenth of them under -short.
func few(cases int) int {
	if testing.Short() {
		return max(1, cases/10)
	}
	return cases
}

// bruteFront returns the whole front by enumeration.
func bruteFront(p *Problem) []Point {
	best := map[int64]int64{}
	everyConfiguration(p, func(importance, latency int64) {
		if v, ok := best[latency]; !ok || importance > v {
			best[latency] = importance
		}
	})
	return frontOf(best)
}
