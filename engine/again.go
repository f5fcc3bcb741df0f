package engine

import (
	"slices"

	"mdp/engine/graph"
)

// forgettable is how many elements a value has, at least, that is computed again: smaller
// ones take little memory, and a pass over them is more of a step that is short.
const forgettable = 1 << 22

// forget picks the values that are not kept for the backward pass but computed again
// when it comes to them, which takes a pass over memory each. They are outputs of batch
// norms, whose inputs are kept in any case:
//
//   - a sum with a value that a convolution reads, which is therefore at hand, too;
//   - what a max pool reads.
//
// The program computes the same, bit for bit.
func (l *lowering) forget() {
	for _, u := range l.units {
		if l.g.Node(u.head).Op != graph.OpBatchNorm || l.value[u.out] == None || l.size(u.out) < forgettable || l.b.Supports(l.batchNormAgain(u)) != nil {
			continue
		}
		if sum := u.addend >= 0; sum && l.readBy(graph.OpConv2D, u.out) && l.readBy(graph.OpConv2D, u.addend) || !sum && l.readBy(graph.OpMaxPool, u.out) {
			l.forgotten[u.out] = u
		}
	}
}

func (l *lowering) readBy(op graph.Op, i int) bool {
	return slices.ContainsFunc(l.g.Consumers(i), func(r int) bool { return l.g.Node(r).Op == op })
}

// again is node i's value in the backward pass, computed again before its first reader
// where it was forgotten.
func (l *lowering) again(i int) Buffer {
	i = l.source(i)
	if u, ok := l.forgotten[i]; ok {
		delete(l.forgotten, i)
		c := l.batchNormAgain(u)
		c.X = l.again(l.g.Inputs(u.head)[0])
		if u.addend >= 0 {
			c.Z = l.again(u.addend)
		}
		c.Y = l.moving(l.activation(i))
		l.value[i] = c.Y
		l.call(c, u.nodes...)
	}
	return l.value[i]
}

// batchNormAgain is the call of a unit, but for the sum's other term.
func (l *lowering) batchNormAgain(u unit) BatchNormAgain {
	i, in := u.head, l.g.Inputs(u.head)[0]
	return BatchNormAgain{Rows: l.rows(i), C: l.g.Shape(i).C, Y: l.value[u.out], X: l.value[in],
		Gamma: l.param(i, ".weight"), Beta: l.param(i, ".bias"), Mean: l.mean[i], InvStd: l.invstd[i], Act: u.act}
}
