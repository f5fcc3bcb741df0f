package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"mdp/prune/solve"
)

// writeLP writes the linearised program in CPLEX's LP format:
//
//	x[g,o]    1 where group g has option o             Σ_o x[g,o] = 1
//	z[b]      1 where block b stays
//	y[l,i,j]  1 where layer l stays with options i, j  Σ_ij y[l,i,j] = z[block(l)]
//	                                                   Σ_j y[l,i,j] ≤ x[group(l),i],  Σ_i y[l,i,j] ≤ x[prev(l),j]
//
// With x and z binary, y needs no integrality.
func writeLP(file string, p *solve.Problem, budgets []int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprint(w, "Maximize\n obj:")
	eachCell(p, func(l, i, j int) { term(w, importance(p.Layers[l], i), y(l, i, j)) })
	fmt.Fprint(w, " + 0 z0\nSubject To\n")
	for k, budget := range budgets {
		fmt.Fprintf(w, " budget%d:", k)
		room := budget - p.Constant
		if k > 0 {
			room = budget - p.Costs[k-1].Constant
		}
		eachCell(p, func(l, i, j int) {
			table := p.Layers[l].Latency
			if k > 0 {
				table = p.Costs[k-1].Layers[l]
			}
			term(w, table.At(i, j), y(l, i, j))
		})
		fmt.Fprintf(w, " + 0 z0 <= %d\n", room)
	}
	for g := range p.Groups {
		fmt.Fprintf(w, " one%d:", g)
		for _, o := range options(p, g) {
			term(w, 1, x(g, o))
		}
		fmt.Fprint(w, " = 1\n")
	}
	for b, block := range p.Blocks {
		if !block.Prunable {
			fmt.Fprintf(w, " stays%d: z%d = 1\n", b, b)
		}
	}
	for l, layer := range p.Layers {
		own, prev := options(p, layer.Group), options(p, layer.PrevGroup)
		fmt.Fprintf(w, " on%d:", l)
		for _, i := range own {
			for _, j := range prev {
				term(w, 1, y(l, i, j))
			}
		}
		fmt.Fprintf(w, " - 1 z%d = 0\n", layer.Block)
		if layer.Group >= 0 {
			for _, i := range own {
				fmt.Fprintf(w, " own%d_%d:", l, i)
				for _, j := range prev {
					term(w, 1, y(l, i, j))
				}
				fmt.Fprintf(w, " - 1 %s <= 0\n", x(layer.Group, i))
			}
		}
		if layer.PrevGroup >= 0 {
			for _, j := range prev {
				fmt.Fprintf(w, " prev%d_%d:", l, j)
				for _, i := range own {
					term(w, 1, y(l, i, j))
				}
				fmt.Fprintf(w, " - 1 %s <= 0\n", x(layer.PrevGroup, j))
			}
		}
	}
	fmt.Fprint(w, "Binary\n")
	for g := range p.Groups {
		for _, o := range options(p, g) {
			fmt.Fprintf(w, " %s\n", x(g, o))
		}
	}
	for b := range p.Blocks {
		fmt.Fprintf(w, " z%d\n", b)
	}
	fmt.Fprint(w, "End\n")
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func x(g, o int) string    { return fmt.Sprintf("x%d_%d", g, o) }
func y(l, i, j int) string { return fmt.Sprintf("y%d_%d_%d", l, i, j) }

// term writes one summand on a line of its own: readers limit a line's length.
func term(w io.Writer, factor int64, name string) {
	switch {
	case factor > 0:
		fmt.Fprintf(w, "\n + %d %s", factor, name)
	case factor < 0:
		fmt.Fprintf(w, "\n - %d %s", -factor, name)
	}
}

func eachCell(p *solve.Problem, visit func(l, i, j int)) {
	for l, layer := range p.Layers {
		for _, i := range options(p, layer.Group) {
			for _, j := range options(p, layer.PrevGroup) {
				visit(l, i, j)
			}
		}
	}
}

// options returns a group's options; a fixed side has the one index 0.
func options(p *solve.Problem, group int) []int {
	if group < 0 {
		return []int{0}
	}
	g := p.Groups[group]
	if g.Allowed != nil {
		return g.Allowed
	}
	var all []int
	for o := g.MinOption; o <= g.MaxOption; o++ {
		all = append(all, o)
	}
	return all
}

func importance(l solve.Layer, own int) int64 {
	if len(l.Importance) == 0 {
		return 0
	}
	return l.Importance[own]
}
