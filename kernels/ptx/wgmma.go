package ptx

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// product is d[64,n] += a[64,16]·b[16,n] of a warpgroup, four warps.
type product struct {
	value     func(uint32) float32
	d         []operand
	a, b      uint64
	n         int
	transpose [2]bool
}

// products of a warp. It has its own part of each: 16 of the 64 rows.
type products struct {
	open   []product // since the last commit
	groups [][]product
	fenced bool // by wgmma.fence, since the sums were the threads'
	issued int
}

// wgmma begins a product, ends a group, waits, or fences ("Asynchronous Warpgroup Level
// Matrix Multiply-Accumulate Instructions"). A product is made when it is waited for; until
// then nobody may read its sums.
func (k *Kernel) wgmma(s statement) (func(*warp, uint32), error) {
	switch name := strings.Join(s.op, "."); name {
	case "wgmma.fence.sync.aligned":
		return func(w *warp, mask uint32) { w.products.fenced = true }, nil
	case "wgmma.commit_group.sync.aligned":
		return func(w *warp, mask uint32) {
			w.products.groups = append(w.products.groups, w.products.open)
			w.products.open = nil
		}, nil
	case "wgmma.wait_group.sync.aligned":
		if len(s.args) != 1 {
			return nil, errUnknown
		}
		n, err := strconv.Atoi(s.args[0])
		return func(w *warp, mask uint32) { w.waitProducts(n) }, err
	}
	return k.product(s)
}

func (k *Kernel) product(s statement) (func(*warp, uint32), error) {
	if len(s.op) != 8 || len(s.args) != 8 || s.op[5] != "f32" || s.op[6] != s.op[7] {
		return nil, errUnknown
	}
	size, ok := strings.CutSuffix(strings.TrimPrefix(s.op[4], "m64n"), "k16")
	n, err := strconv.Atoi(size)
	kind := factors[s.op[6]]
	if !ok || err != nil || n%8 != 0 || kind.each != 2 || !slices.Equal(s.args[3:6], []string{"1", "1", "1"}) {
		return nil, errUnknown // sums are added to, and no sign is changed
	}
	p := product{value: kind.value, n: n}
	for _, e := range elements(s.args[0]) {
		o, _, err := k.target(e)
		if err != nil {
			return nil, err
		}
		p.d = append(p.d, o)
	}
	if len(p.d) != n/2 {
		return nil, errUnknown
	}
	a, err := k.value(s.args[1])
	b, err1 := k.value(s.args[2])
	for i := range p.transpose {
		if s.args[6+i] != "0" && s.args[6+i] != "1" {
			return nil, errUnknown
		}
		p.transpose[i] = s.args[6+i] == "1"
	}
	return func(w *warp, mask uint32) {
		if mask != everyone {
			fail("a product of %08x, not of a whole warp", mask)
		}
		x, y := w.read(a, mask), w.read(b, mask)
		for i := range x {
			if x[i] != x[0] || y[i] != y[0] {
				fail("threads of a warp have other operands")
			}
		}
		q := p
		q.a, q.b = x[0], y[0]
		w.agree(q)
		w.mayMultiply(q)
		for _, d := range q.d {
			if w.flying[d] == 0 { // else the sums are still those of products before this one
				w.read(d, mask)
				if !w.products.fenced {
					fail("sums that threads may touch go into a product without wgmma.fence")
				}
			}
			w.flying[d]++
			w.written[d] = 0
		}
		w.products.open = append(w.products.open, q)
	}, cmp.Or(err, err1)
}

// agree holds a warp's operands against those of the others in its warpgroup.
func (w *warp) agree(p product) {
	all := &w.issued[w.index/4]
	if w.products.issued == len(*all) {
		*all = append(*all, [2]uint64{p.a, p.b})
	}
	if (*all)[w.products.issued] != [2]uint64{p.a, p.b} {
		fail("warps of a warpgroup have other operands")
	}
	w.products.issued++
}

// operand128 is a matrix in shared memory ("Matrix Descriptor Format"): where it begins, and two
// strides, in bytes. Of its layouts only those that are swizzled by 128 bytes are known here.
type operand128 struct {
	start, leading, stride uint64
	across                 bool // memory runs along m or n, not along k
}

func operandOf(descriptor uint64, across bool) operand128 {
	decode := func(bits uint64) uint64 { return bits & 0x3fff << 4 }
	if descriptor>>62 != 1 || descriptor>>49&7 != 0 {
		fail("a descriptor of another layout than 128 bytes swizzled, at a multiple of 1 KiB: %#x", descriptor)
	}
	return operand128{decode(descriptor), decode(descriptor >> 16), decode(descriptor >> 32), across}
}

// at is the address of an element of 16 bits ("Strides", "Canonical Layouts"), T = 8 of which
// are 16 bytes:
//
//	along k  ((8,m),(T,2k)):((8T,stride),(1,T))
//	across   ((T,8,m),(8,k)):((1,T,leading),(8T,stride))
//
// and then bits 4 to 6 of the address are xored with bits 7 to 9.
func (o operand128) at(row, k uint64) uint64 {
	at := o.start
	if o.across {
		at += row%64*2 + row/64*o.leading + k%8*128 + k/8*o.stride
	} else {
		at += row%8*128 + row/8*o.stride + k*2
	}
	return at ^ at>>7&7<<4
}

// mayMultiply checks that all of both operands is visible to the async proxy.
func (w *warp) mayMultiply(p product) {
	for i, rows := range []uint64{64, uint64(p.n)} {
		o := operandOf([]uint64{p.a, p.b}[i], p.transpose[i])
		for row := range rows {
			for k := range uint64(16) {
				at := o.at(row, k)
				w.bytes("shared", at, 2, 0)
				if by := w.fenced[(at-sharedBase)/16]; by != 0 {
					fail("%#x of shared memory is multiplied, which thread %d has written and not fenced (fence.proxy.async)", at, by-1)
				}
			}
		}
	}
}

// waitProducts makes all but those of the last groups.
func (w *warp) waitProducts(n int) {
	for ; len(w.products.groups) > n; w.products.groups = w.products.groups[1:] {
		w.products.fenced = false
		for _, p := range w.products.groups[0] {
			w.multiply(p)
		}
		for _, p := range w.products.groups[0] {
			for _, d := range p.d {
				if w.flying[d] == 0 {
					w.written[d] = everyone
				}
			}
		}
	}
}

// sumAt is where the i-th register of a lane lies in its warp's 16 rows ("Register
// Fragments", D of m64nNk16).
func sumAt(lane, i int) (row, column int) {
	return lane/4 + i%4/2*8, i/4*8 + lane%4*2 + i%2
}

// multiply makes a warp's part of a product, 16 of its rows.
func (w *warp) multiply(p product) {
	a, b := operandOf(p.a, p.transpose[0]), operandOf(p.b, p.transpose[1])
	element := func(o operand128, row, k int) float64 {
		return float64(p.value(uint32(little.Uint16(w.bytes("shared", o.at(uint64(row), uint64(k)), 2, 0)))))
	}
	var rows [16][16]float64
	columns := make([][16]float64, p.n)
	for k := range 16 {
		for i := range rows {
			rows[i][k] = element(a, w.index%4*16+i, k)
		}
		for i := range columns {
			columns[i][k] = element(b, i, k)
		}
	}
	for i, d := range p.d {
		if w.written[d] != 0 {
			fail("thread %d has written to a sum of a product that is not waited for", w.thread(w.written[d]))
		}
		w.flying[d]--
		for lane := range 32 {
			row, column := sumAt(lane, i)
			v := &w.values[d][lane]
			*v = quiet(float32(float64(f32(*v)) + dot(&rows[row], &columns[column])))
		}
	}
}
