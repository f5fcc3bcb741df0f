package ptx

import (
	"fmt"
	"math/bits"
	"slices"
)

// vector is what a register of 32 threads holds. What is narrower than 64 bits has zeros
// above.
type vector [32]uint64

// everyone is the mask of a whole warp.
const everyone = ^uint32(0)

// instruction is a statement that was decoded.
type instruction struct {
	statement
	guarded, negated bool
	guard            int
	aligned          bool // all threads that are left come together for it
	is               kind
	label            int // of a branch
	do               func(*warp, uint32)
}

type kind byte

const (
	plain kind = iota
	branch
	exit
	barrier
)

// warp is 32 threads in lock step. Where they part, those whose place is lowest go first,
// and join others whose place they come to: an instruction that all must come to together
// (".aligned") waits for those that have come elsewhere.
type warp struct {
	*block
	index        int // of the block's
	values       []vector
	written      []uint32 // which threads' values are
	preds        []uint32
	predsWritten []uint32
	left         uint32 // threads that have not returned
	now          path
	others       []path
	copies       []copyAsync
	groups       [32]int // of copies that a thread has committed
	products     products
	flying       []uint8 // products that add to a register
	unfenced     []granule
	count        int64
}

// path is threads at one place.
type path struct {
	at    int
	mask  uint32
	waits bool
}

// fault is what stops a launch.
type fault string

func fail(format string, args ...any) { panic(fault(fmt.Sprintf(format, args...))) }

// start puts so many threads at the beginning.
func (w *warp) start(b *block, index, threads int) {
	w.block, w.index = b, index
	w.left = everyone >> max(0, 32-threads)
	w.now, w.others = path{mask: w.left}, w.others[:0]
	clear(w.written)
	clear(w.predsWritten)
	w.copies, w.groups, w.unfenced = w.copies[:0], [32]int{}, w.unfenced[:0]
	w.products = products{}
	clear(w.flying)
}

// read is a register of the threads of a mask, all of which have written it.
func (w *warp) read(o operand, mask uint32) *vector {
	v, set := w.peek(o)
	if missing := mask &^ set; missing != 0 {
		w.unset(int(o), missing)
	}
	return v
}

// peek is a register and the threads that have written it. Compilers compute with what
// nobody has, where they then do not take the result: so a value that is made of it is
// itself not written, and it may not be stored, branched on or be an address.
func (w *warp) peek(o operand) (v *vector, set uint32) {
	if o < 0 {
		if o == none {
			return &zeros, everyone
		}
		return &w.kernel.constants[^o], everyone
	}
	return &w.values[o], w.written[o]
}

var zeros vector

func (w *warp) unset(o int, missing uint32) {
	for name, b := range w.kernel.banks {
		if b.bytes > 0 && o >= b.first && o < b.first+b.count {
			fail("%s%d is read, which thread %d has not written, or a product still writes", name, o-b.first, w.thread(missing))
		}
	}
}

// write is a register that the threads of a mask write, some of them with what is written.
func (w *warp) write(o operand, mask, set uint32) *vector {
	w.written[o] = w.written[o]&^mask | mask&set
	return &w.values[o]
}

// pred is a predicate that all threads of a mask have written.
func (w *warp) pred(p int, mask uint32) uint32 {
	if missing := mask &^ w.predsWritten[p]; missing != 0 {
		fail("%%p%d is read, which thread %d has not written", p, w.thread(missing))
	}
	return w.preds[p]
}

func (w *warp) setPred(p int, mask, to, set uint32) {
	w.preds[p] = w.preds[p]&^mask | to&mask
	w.predsWritten[p] = w.predsWritten[p]&^mask | mask&set
}

// thread is the first of a mask, in its block.
func (w *warp) thread(mask uint32) int { return w.index*32 + bits.TrailingZeros32(mask) }

// run goes on to the next barrier, true, or to the end.
func (w *warp) run() bool {
	code := w.kernel.code
	for w.left != 0 {
		if len(w.others) > 0 {
			w.meet()
		}
		if w.now.at >= len(code) {
			fail("the kernel ends without ret")
		}
		in := &code[w.now.at]
		mask := w.now.mask
		if in.guarded {
			if p := w.pred(in.guard, mask); in.negated {
				mask &^= p
			} else {
				mask &= p
			}
		}
		if in.aligned && mask != 0 && mask != w.left {
			w.now.waits = true
			w.others = append(w.others, w.now)
			w.next()
			continue
		}
		w.now.at++
		w.count += int64(bits.OnesCount32(mask))
		switch in.is {
		case plain:
			if mask != 0 {
				in.do(w, mask)
			}
		case branch:
			if mask == w.now.mask {
				w.now.at = in.label
			} else if mask != 0 {
				w.others = append(w.others, path{at: in.label, mask: mask})
				w.now.mask &^= mask
			}
		case exit:
			w.left &^= mask
			w.now.mask &^= mask
			if w.now.mask == 0 && w.left != 0 {
				w.next()
			}
		case barrier:
			return true
		}
	}
	return false
}

// meet joins threads that are where these are, and leaves the turn to any behind these.
func (w *warp) meet() {
	lowest := -1
	for i := 0; i < len(w.others); i++ {
		switch o := w.others[i]; {
		case o.at == w.now.at:
			w.now.mask |= o.mask
			w.others = slices.Delete(w.others, i, i+1)
			i--
		case !o.waits && o.at < w.now.at && (lowest < 0 || o.at < w.others[lowest].at):
			lowest = i
		}
	}
	if lowest >= 0 {
		w.now, w.others[lowest] = w.others[lowest], w.now
	}
}

// next turns to threads that do not wait or that are, now, all that are left.
func (w *warp) next() {
	for i, o := range w.others {
		if !o.waits || o.mask == w.left {
			w.now, w.others = path{at: o.at, mask: o.mask}, slices.Delete(w.others, i, i+1)
			return
		}
	}
	w.now = w.others[0]
	fail("threads wait here for others of their warp, which wait elsewhere or have not come: %08x of %08x", w.now.mask, w.left)
}
