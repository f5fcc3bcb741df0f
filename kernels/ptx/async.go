package ptx

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// copyAsync is one of a thread ("cp.async"): bytes from memory of the device, and zeros
// behind them to the copy's size.
type copyAsync struct {
	to, from    uint64
	size, bytes int
	lane, group int
}

// cp begins a copy, ends a group of them, or waits for all but the last groups.
func (k *Kernel) cp(s statement) (func(*warp, uint32), error) {
	switch strings.Join(s.op, ".") {
	case "cp.async.commit_group":
		return func(w *warp, mask uint32) {
			for i := range lanes(mask) {
				w.groups[i]++
			}
		}, nil
	case "cp.async.wait_group":
		if len(s.args) != 1 {
			return nil, errUnknown
		}
		n, err := strconv.Atoi(s.args[0])
		return func(w *warp, mask uint32) { w.wait(mask, n) }, err
	case "cp.async.cg.shared.global", "cp.async.ca.shared.global":
		if len(s.args) != 4 {
			return nil, errUnknown
		}
		to, toOffset, err := k.address(s.args[0])
		from, fromOffset, err1 := k.address(s.args[1])
		size, err2 := strconv.Atoi(s.args[2])
		sized, err3 := k.value(s.args[3])
		if !(size == 16 || s.op[2] == "ca" && (size == 4 || size == 8)) {
			return nil, errUnknown
		}
		return func(w *warp, mask uint32) {
			t, f, b := w.read(to, mask), w.read(from, mask), w.read(sized, mask)
			for i := range lanes(mask) {
				c := copyAsync{t[i] + toOffset, f[i] + fromOffset, size, int(b[i]), i, w.groups[i]}
				if c.bytes > size {
					fail("thread %d: %d bytes of a copy of %d", w.index*32+i, c.bytes, size)
				}
				if c.bytes > 0 {
					w.bytes("global", c.from, size, i)
				}
				w.copies = append(w.copies, c)
				for j := range w.bytes("shared", c.to, size, i) {
					w.shared[c.to-sharedBase+uint64(j)] = 0xff
				}
			}
		}, cmp.Or(err, err1, err2, err3)
	}
	return nil, errUnknown
}

// wait makes the copies of threads but for those of their last groups.
func (w *warp) wait(mask uint32, n int) {
	w.copies = slices.DeleteFunc(w.copies, func(c copyAsync) bool {
		if mask>>c.lane&1 == 0 || c.group >= w.groups[c.lane]-n {
			return false
		}
		to := w.bytes("shared", c.to, c.size, c.lane)
		clear(to)
		if c.bytes > 0 {
			copy(to, w.bytes("global", c.from, c.size, c.lane)[:c.bytes])
		}
		w.touch(c.to, c.lane)
		return true
	})
}

// granule is 16 bytes of shared memory that a thread has written to.
type granule struct{ number, lane int }

// touch notes what a thread has written, which products read as another proxy: they see it
// once the thread has fenced it ("Async proxy").
func (w *warp) touch(at uint64, lane int) {
	if w.kernel.warpgroups {
		n := int(at-sharedBase) / 16
		w.fenced[n] = int32(w.index*32 + lane + 1)
		w.unfenced = append(w.unfenced, granule{n, lane})
	}
}

// fence lets the async proxy see what threads have written.
func (k *Kernel) fence(s statement) (func(*warp, uint32), error) {
	if strings.Join(s.op, ".") != "fence.proxy.async.shared::cta" {
		return nil, errUnknown
	}
	return func(w *warp, mask uint32) {
		w.unfenced = slices.DeleteFunc(w.unfenced, func(g granule) bool {
			mine := mask>>g.lane&1 != 0
			if mine && w.fenced[g.number] == int32(w.index*32+g.lane+1) {
				w.fenced[g.number] = 0
			}
			return mine
		})
	}, nil
}
