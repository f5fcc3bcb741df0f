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
	"mov": (*Kernel).mov, "selp": (*Kernel).selp, "setp": (*Kernel).setp, "bfi": (*Kernel).bfi, "shfl": (*Kernel).shfl,
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

// specials are what a thread knows of itself and its grid ("Special Registers").
var specials = map[string]func(w *warp, lane int) uint64{
	"%tid.x":    func(w *warp, lane int) uint64 { return uint64(w.index*32 + lane) },
	"%ntid.x":   func(w *warp, _ int) uint64 { return uint64(w.launch.Threads) },
	"%ctaid.x":  func(w *warp, _ int) uint64 { return w.at[0] },
	"%ctaid.y":  func(w *warp, _ int) uint64 { return w.at[1] },
	"%ctaid.z":  func(w *warp, _ int) uint64 { return w.at[2] },
	"%nctaid.x": func(w *warp, _ int) uint64 { return uint64(w.launch.Grid[0]) },
	"%nctaid.y": func(w *warp, _ int) uint64 { return uint64(w.launch.Grid[1]) },
	"%nctaid.z": func(w *warp, _ int) uint64 { return uint64(w.launch.Grid[2]) },
	"%clock64":  func(w *warp, _ int) uint64 { return uint64(w.count) },
}

// mov copies a register, a number, an address or a special register, or packs and unpacks
// two of half its width.
func (k *Kernel) mov(s statement) (func(*warp, uint32), error) {
	if len(s.args) != 2 || len(s.op) != 2 {
		return nil, errUnknown
	}
	to, from := elements(s.args[0]), elements(s.args[1])
	if s.op[1] == "pred" {
		p, err := k.pred(s.args[0])
		if v, ok := immediate(s.args[1]); ok {
			return func(w *warp, mask uint32) { w.setPred(p, mask, -uint32(v&1), mask) }, err
		}
		q, err2 := k.pred(s.args[1])
		return func(w *warp, mask uint32) { w.setPred(p, mask, w.preds[q], w.predsWritten[q]) }, first(err, err2)
	}
	if special, ok := specials[s.args[1]]; ok {
		d, bytes, err := k.target(s.args[0])
		return func(w *warp, mask uint32) {
			v := w.write(d, mask, mask)
			for i := range lanes(mask) {
				v[i] = special(w, i) & low(bytes)
			}
		}, err
	}
	if len(to) > 1 {
		return k.unpack(to, from[0])
	}
	d, bytes, err := k.target(to[0])
	if err != nil {
		return nil, err
	}
	all := make([]operand, len(from))
	for i := range from {
		if all[i], err = k.value(from[i]); err != nil {
			return nil, err
		}
	}
	part := 8 * bytes / len(all)
	return func(w *warp, mask uint32) {
		v, set := &w.values[d], mask
		for n, o := range all {
			x, is := w.peek(o)
			set &= is
			for i := range v {
				if mask>>i&1 == 0 {
					continue
				}
				if n == 0 {
					v[i] = x[i] & low(bytes)
				} else {
					v[i] |= x[i] << (n * part) & low(bytes)
				}
			}
		}
		w.write(d, mask, set)
	}, nil
}

func (k *Kernel) unpack(to []string, from string) (func(*warp, uint32), error) {
	x, err := k.value(from)
	if err != nil {
		return nil, err
	}
	all, part := make([]operand, len(to)), 0
	for i := range to {
		if all[i], part, err = k.target(to[i]); err != nil {
			return nil, err
		}
	}
	return func(w *warp, mask uint32) {
		v, set := w.peek(x)
		for n, d := range all {
			y := w.write(d, mask, set)
			for i := range lanes(mask) {
				y[i] = v[i] >> (8 * part * n) & low(part)
			}
		}
	}, nil
}

func (k *Kernel) selp(s statement) (func(*warp, uint32), error) {
	if len(s.args) != 4 || len(s.op) != 2 {
		return nil, errUnknown
	}
	d, bytes, err := k.target(s.args[0])
	x, err1 := k.value(s.args[1])
	y, err2 := k.value(s.args[2])
	p, err3 := k.pred(s.args[3])
	return func(w *warp, mask uint32) {
		which := w.preds[p]
		a, isA := w.peek(x)
		b, isB := w.peek(y)
		v := w.write(d, mask, w.predsWritten[p]&(which&isA|^which&isB))
		for i := range v {
			if mask>>i&1 != 0 {
				if which>>i&1 != 0 {
					v[i] = a[i] & low(bytes)
				} else {
					v[i] = b[i] & low(bytes)
				}
			}
		}
	}, first(err, err1, err2, err3)
}

// bfi puts so many low bits of one value into another from a bit on; where and how many are numbers.
func (k *Kernel) bfi(s statement) (func(*warp, uint32), error) {
	if len(s.args) != 5 || len(s.op) != 2 {
		return nil, errUnknown
	}
	at, ok := immediate(s.args[3])
	n, ok2 := immediate(s.args[4])
	if !ok || !ok2 || at+n > uint64(width(s.op[1])) {
		return nil, errUnknown
	}
	d, _, err := k.target(s.args[0])
	x, err1 := k.value(s.args[1])
	y, err2 := k.value(s.args[2])
	bits := (uint64(1)<<n - 1) << at
	return func(w *warp, mask uint32) {
		a, isA := w.peek(x)
		b, isB := w.peek(y)
		v := w.write(d, mask, isA&isB)
		for i := range lanes(mask) {
			v[i] = b[i]&^bits | a[i]<<at&bits
		}
	}, first(err, err1, err2)
}

// shfl gets a value of the thread whose number differs in bits, or of that number ("shfl.sync"),
// of a whole warp.
func (k *Kernel) shfl(s statement) (func(*warp, uint32), error) {
	name := strings.Join(s.op, ".")
	if name != "shfl.sync.bfly.b32" && name != "shfl.sync.idx.b32" || len(s.args) != 5 {
		return nil, errUnknown
	}
	own := 1
	if name == "shfl.sync.idx.b32" {
		own = 0
	}
	to, valid, both := strings.Cut(s.args[0], "|")
	d, _, err := k.target(to)
	p, err1 := k.pred(valid)
	if !both {
		return nil, errUnknown
	}
	var from [4]operand
	for i := range from {
		var err2 error
		if from[i], err2 = k.value(s.args[1+i]); err2 != nil {
			return nil, err2
		}
	}
	return func(w *warp, mask uint32) {
		x, by, clamp, members := *w.read(from[0], mask), w.read(from[1], mask), w.read(from[2], mask), w.read(from[3], mask)
		v := w.write(d, mask, mask)
		for i := range lanes(mask) {
			other := i*own ^ int(by[i])
			if by[i] > 31 || clamp[i] != 31 || uint32(members[i]) != mask || mask>>other&1 == 0 {
				fail("a shuffle by %d with %#x among %08x, of %08x that are here", by[i], clamp[i], members[i], mask)
			}
			v[i] = x[other]
		}
		w.setPred(p, mask, mask, mask)
	}, first(err, err1)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
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
