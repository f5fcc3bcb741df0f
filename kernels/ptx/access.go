package ptx

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

var little = binary.LittleEndian

// at is memory of a space, of so many bytes from an address on, which is a multiple of align.
func (w *warp) bytes(space string, at uint64, n int, lane int) []byte {
	if at%uint64(n) != 0 {
		fail("thread %d: %d bytes at %#x of %s memory, which is no multiple of that", w.index*32+lane, n, at, space)
	}
	var b []byte
	switch space {
	case "global":
		b = w.memory.At(at, n)
	case "shared":
		b = within(w.shared, at-sharedBase, n)
	case "param":
		b = within(w.launch.Params, at-paramBase, n)
	}
	if b == nil {
		fail("thread %d: %d bytes at %#x are not %s memory, or not all of them", w.index*32+lane, n, at, space)
	}
	return b
}

func within(all []byte, from uint64, n int) []byte {
	if from > uint64(len(all)) || from+uint64(n) > uint64(len(all)) {
		return nil
	}
	return all[from:][:n]
}

// access is what ld and st have in their names: a space, and a vector of a type. Without a
// space the address is generic ("Generic Addressing"), which nothing but memory of the device
// has here.
func access(s statement) (space string, count, bytes int, ok bool) {
	space, count = "global", 1
	op := s.op[1:]
	if len(op) > 0 && slices.Contains([]string{"global", "shared", "param"}, op[0]) {
		space, op = op[0], op[1:]
	}
	if len(op) == 2 {
		count, op = map[string]int{"v2": 2, "v4": 4}[op[0]], op[1:]
	}
	if len(op) != 1 {
		return "", 0, 0, false
	}
	bytes = width(op[0]) / 8
	signed := strings.HasPrefix(op[0], "s") && bytes < 4 // would fill what is wider with the sign
	return space, count, bytes, count*bytes != 0 && !signed && len(s.args) == 2
}

func get(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(little.Uint16(b))
	case 4:
		return uint64(little.Uint32(b))
	}
	return little.Uint64(b)
}

func put(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		little.PutUint16(b, uint16(v))
	case 4:
		little.PutUint32(b, uint32(v))
	default:
		little.PutUint64(b, v)
	}
}

func (k *Kernel) load(s statement) (func(*warp, uint32), error) {
	space, count, bytes, ok := access(s)
	if !ok || len(elements(s.args[0])) != count {
		return nil, errUnknown
	}
	var to []operand
	for _, e := range elements(s.args[0]) {
		d, _, err := k.target(e)
		if err != nil {
			return nil, err
		}
		to = append(to, d)
	}
	base, offset, err := k.address(s.args[1])
	return func(w *warp, mask uint32) {
		at := *w.read(base, mask)
		for i := range at {
			if mask>>i&1 == 0 {
				continue
			}
			b := w.bytes(space, at[i]+offset, count*bytes, i)
			for n, d := range to {
				w.values[d][i] = get(b[n*bytes:][:bytes])
			}
		}
		for _, d := range to {
			w.write(d, mask, mask)
		}
	}, err
}

func (k *Kernel) store(s statement) (func(*warp, uint32), error) {
	space, count, bytes, ok := access(s)
	if !ok || space == "param" || len(elements(s.args[1])) != count {
		return nil, errUnknown
	}
	var from []operand
	for _, e := range elements(s.args[1]) {
		x, err := k.value(e)
		if err != nil {
			return nil, err
		}
		from = append(from, x)
	}
	base, offset, err := k.address(s.args[0])
	return func(w *warp, mask uint32) {
		at := w.read(base, mask)
		for n, o := range from {
			x := w.read(o, mask)
			for i := range at {
				if mask>>i&1 == 0 {
					continue
				}
				b := w.bytes(space, at[i]+offset, count*bytes, i)
				put(b[n*bytes:][:bytes], x[i])
				if space == "shared" {
					w.touch(at[i]+offset, i)
				}
			}
		}
	}, err
}

// atom is a sum in memory of the device ("atom"): what was there comes back.
func (k *Kernel) atom(s statement) (func(*warp, uint32), error) {
	if strings.Join(s.op, ".") != "atom.global.add.f32" || len(s.args) != 3 {
		return nil, errUnknown
	}
	d, _, err := k.target(s.args[0])
	base, offset, err1 := k.address(s.args[1])
	from, err2 := k.value(s.args[2])
	return func(w *warp, mask uint32) {
		at, x := *w.read(base, mask), *w.read(from, mask)
		was := w.write(d, mask, mask)
		w.memory.atomic.Lock()
		defer w.memory.atomic.Unlock()
		for i := range lanes(mask) {
			b := w.bytes("global", at[i]+offset, 4, i)
			was[i] = get(b)
			put(b, quiet(flushed(flushed(f32(was[i]))+flushed(f32(x[i]))))) // of global memory, it flushes
		}
	}, cmp.Or(err, err1, err2)
}
