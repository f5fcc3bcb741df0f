package ptx

import "strings"

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
