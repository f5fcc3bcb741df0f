package ptx

import (
	"cmp"
	"strings"
)

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
		return func(w *warp, mask uint32) { w.setPred(p, mask, w.preds[q], w.predsWritten[q]) }, cmp.Or(err, err2)
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
	}, cmp.Or(err, err1, err2, err3)
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
	}, cmp.Or(err, err1, err2)
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
	}, cmp.Or(err, err1)
}
