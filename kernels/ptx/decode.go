package ptx

import (
	"fmt"
	"slices"
	"strings"
)

// decode makes instructions of a body.
func (k *Kernel) decode(body string, line int) error {
	statements, labels, err := k.statements(body, line)
	if err != nil {
		return err
	}
	k.warpgroups = strings.Contains(body, "wgmma")
	k.code = make([]instruction, len(statements))
	for i, s := range statements {
		in := &k.code[i]
		in.statement = s
		in.guarded, in.negated = s.guard != "", s.negated
		if in.guarded {
			in.guard, err = k.pred(s.guard)
		}
		if err == nil {
			err = k.instruction(in, labels)
		}
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", s.line, s.text, err)
		}
	}
	return nil
}

// decoders by an instruction's first word; those that are not here are arithmetic.
var decoders = map[string]func(*Kernel, statement) (func(*warp, uint32), error){
	"mov": (*Kernel).mov, "selp": (*Kernel).selp, "setp": (*Kernel).setp, "bfi": (*Kernel).bfi, "prmt": (*Kernel).prmt, "shfl": (*Kernel).shfl,
	"ld": (*Kernel).load, "st": (*Kernel).store, "atom": (*Kernel).atom, "cp": (*Kernel).cp,
	"ldmatrix": (*Kernel).ldmatrix, "mma": (*Kernel).mma, "wgmma": (*Kernel).wgmma, "fence": (*Kernel).fence,
}

func (k *Kernel) instruction(in *instruction, labels map[string]int) (err error) {
	name := strings.Join(in.op, ".")
	switch name {
	case "ret":
		in.is = exit
		return nil
	case "bra", "bra.uni":
		if len(in.args) != 1 {
			return fmt.Errorf("one label is missing")
		}
		at, ok := labels[in.args[0]]
		if !ok {
			return fmt.Errorf("there is no such label")
		}
		in.is, in.label = branch, at
		return nil
	case "bar.sync": // of all threads: barrier 0 is the only one here
		if !slices.Equal(in.args, []string{"0"}) {
			return errUnknown
		}
		in.is, in.aligned = barrier, true
		return nil
	}
	in.aligned = slices.Contains(in.op, "sync")
	decode, ok := decoders[in.op[0]]
	if !ok {
		decode = (*Kernel).arithmetic
	}
	in.do, err = decode(k, in.statement)
	return err
}

var errUnknown = fmt.Errorf("this instruction is not known")

// width is the bits of a type such as s32, 0 of what is none.
func width(t string) int {
	switch strings.TrimLeft(t, "bsuf") {
	case "8":
		return 8
	case "16":
		return 16
	case "32":
		return 32
	case "64":
		return 64
	}
	return 0
}

// low is a mask of so many bytes.
func low(bytes int) uint64 { return ^uint64(0) >> (64 - 8*bytes) }

// arithmetic is every instruction that makes of up to three values one, thread by thread.
func (k *Kernel) arithmetic(s statement) (func(*warp, uint32), error) {
	if s.op[len(s.op)-1] == "pred" {
		return k.logic(s)
	}
	if len(s.args) < 2 || len(s.args) > 4 {
		return nil, errUnknown
	}
	f, operands := lookUp(s.op)
	if f == nil || operands != len(s.args)-1 {
		return nil, errUnknown
	}
	d, bytes, err := k.target(s.args[0])
	if err != nil {
		return nil, err
	}
	from := [3]operand{none, none, none}
	for i, a := range s.args[1:] {
		if from[i], err = k.value(a); err != nil {
			return nil, err
		}
	}
	keep := low(bytes)
	return func(w *warp, mask uint32) {
		x, isX := w.peek(from[0])
		y, isY := w.peek(from[1])
		z, isZ := w.peek(from[2])
		to := w.write(d, mask, isX&isY&isZ)
		if mask == everyone {
			for i := range to {
				to[i] = f(x[i], y[i], z[i]) & keep
			}
			return
		}
		for i := range to {
			if mask>>i&1 != 0 {
				to[i] = f(x[i], y[i], z[i]) & keep
			}
		}
	}, nil
}

// logic of predicates, a mask of threads each.
func (k *Kernel) logic(s statement) (func(*warp, uint32), error) {
	var at [3]int
	var err error
	for i, a := range s.args {
		if at[min(i, 2)], err = k.pred(a); err != nil {
			return nil, err
		}
	}
	f := map[string]func(x, y uint32) uint32{
		"and": func(x, y uint32) uint32 { return x & y },
		"or":  func(x, y uint32) uint32 { return x | y },
		"xor": func(x, y uint32) uint32 { return x ^ y },
		"not": func(x, _ uint32) uint32 { return ^x },
	}[s.op[0]]
	if len(s.args) == 2 {
		at[2] = at[1]
	}
	if f == nil || len(s.args) < 2 || len(s.args) > 3 || (len(s.args) == 2) != (s.op[0] == "not") {
		return nil, errUnknown
	}
	return func(w *warp, mask uint32) {
		w.setPred(at[0], mask, f(w.preds[at[1]], w.preds[at[2]]), w.predsWritten[at[1]]&w.predsWritten[at[2]])
	}, nil
}

// lanes of a mask.
func lanes(mask uint32) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range 32 {
			if mask>>i&1 != 0 && !yield(i) {
				return
			}
		}
	}
}
