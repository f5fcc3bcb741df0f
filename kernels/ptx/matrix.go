package ptx

import (
	"cmp"
	"strings"
)

// ldmatrix reads four matrices of 8 × 8 elements of 16 bits from shared memory, turned around
// ("ldmatrix"): thread 8i+k has the address of row k of the i-th. With g = lane/4 and
// t = lane%4, register i is element g of its row 2t and, above it, of its row 2t+1.
func (k *Kernel) ldmatrix(s statement) (func(*warp, uint32), error) {
	if strings.Join(s.op, ".") != "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16" || len(s.args) != 2 || len(elements(s.args[0])) != 4 {
		return nil, errUnknown
	}
	var to [4]operand
	for i, e := range elements(s.args[0]) {
		d, _, err := k.target(e)
		if err != nil {
			return nil, err
		}
		to[i] = d
	}
	base, offset, err := k.address(s.args[1])
	return func(w *warp, mask uint32) {
		if mask != everyone {
			fail("matrices of %08x, not of a whole warp", mask)
		}
		at := *w.read(base, mask)
		var rows [32][]byte
		for lane := range at {
			rows[lane] = w.bytes("shared", at[lane]+offset, 16, lane)
		}
		for i, d := range to {
			v := w.write(d, mask, mask)
			for lane := range v {
				g, row := lane/4, 8*i+lane%4*2
				v[lane] = get(rows[row][2*g:][:2]) | get(rows[row+1][2*g:][:2])<<16
			}
		}
	}, err
}

// prmt picks each byte of a number from eight, those of b above those of a ("prmt").
func (k *Kernel) prmt(s statement) (func(*warp, uint32), error) {
	if strings.Join(s.op, ".") != "prmt.b32" || len(s.args) != 4 {
		return nil, errUnknown
	}
	d, _, err := k.target(s.args[0])
	a, err1 := k.value(s.args[1])
	b, err2 := k.value(s.args[2])
	c, err3 := k.value(s.args[3])
	return func(w *warp, mask uint32) {
		low, high, which := *w.read(a, mask), *w.read(b, mask), *w.read(c, mask)
		v := w.write(d, mask, mask)
		for lane := range lanes(mask) {
			v[lane] = uint64(picked(uint32(low[lane]), uint32(high[lane]), uint32(which[lane])))
		}
	}, cmp.Or(err, err1, err2, err3)
}

// picked has the byte that four bits of which say, or with the highest of them its sign alone.
func picked(low, high, which uint32) (v uint32) {
	for i := range 4 {
		by := which >> (4 * i)
		b := uint8((uint64(high)<<32 | uint64(low)) >> (by & 7 * 8))
		if by&8 != 0 {
			b = uint8(int8(b) >> 7)
		}
		v |= uint32(b) << (8 * i)
	}
	return v
}
