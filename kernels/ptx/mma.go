package ptx

import "strings"

// factors are the types of what tensor cores multiply: how many lie in a register, and
// their values.
var factors = map[string]struct {
	each  int
	value func(bits uint32) float32
}{
	"tf32": {1, func(bits uint32) float32 {
		if bits&0x1fff != 0 && bits&0x7f800000 != 0x7f800000 {
			fail("%#x has bits that TF32 has not", bits)
		}
		return f32(uint64(bits))
	}},
	"bf16": {2, func(bits uint32) float32 { return f32(uint64(bits&0xffff) << 16) }},
	"f16":  {2, func(bits uint32) float32 { return fromHalf(uint16(bits)) }},
}

// mma is d[16,8] = a[16,k]·b[k,8] + c[16,8] by a warp, k = 8 of TF32 and 16 of 16 bits
// ("Matrix Fragments for mma.m16n8k8", "… mma.m16n8k16"). With g = lane/4 and t = lane%4 the
// i-th register of
//
//	a  is row g, or g+8 where i is odd, and the columns from t·each on, k/2 further from i = 2
//	b  is column g, and the rows from t·each on, k/2 further where i is 1
//	c  is row g, or g+8 from i = 2, and column 2t + i%2
func (k *Kernel) mma(s statement) (func(*warp, uint32), error) {
	if len(s.op) != 10 || len(s.args) != 4 {
		return nil, errUnknown
	}
	kind, ok := factors[s.op[7]]
	depth := 8 * kind.each
	shape := map[int]string{8: "m16n8k8", 16: "m16n8k16"}[depth]
	if !ok || strings.Join(s.op, ".") != "mma.sync.aligned."+shape+".row.col.f32."+s.op[7]+"."+s.op[7]+".f32" {
		return nil, errUnknown
	}
	var at [4][]operand
	for n, a := range s.args {
		for _, e := range elements(a) {
			o, err := k.value(e)
			if err == nil && n == 0 {
				o, _, err = k.target(e)
			}
			if err != nil {
				return nil, err
			}
			at[n] = append(at[n], o)
		}
	}
	if len(at[0]) != 4 || len(at[1]) != 4 || len(at[2]) != 2 || len(at[3]) != 4 {
		return nil, errUnknown
	}
	bits := 32 / kind.each
	return func(w *warp, mask uint32) {
		if mask != everyone {
			fail("a product of %08x, not of a whole warp", mask)
		}
		var a, b [16][16]float64 // b by column
		fill := func(to *[16][16]float64, o operand, row, column int) {
			x := w.read(o, mask)
			for lane := range x {
				for e := range kind.each {
					to[lane/4+row][column+lane%4*kind.each+e] = float64(kind.value(uint32(x[lane]) >> (e * bits)))
				}
			}
		}
		for i, o := range at[1] {
			fill(&a, o, i%2*8, i/2*depth/2)
		}
		for i, o := range at[2] {
			fill(&b, o, 0, i*depth/2)
		}
		for i, o := range at[3] {
			c, d := w.read(o, mask), w.write(at[0][i], mask, mask)
			for lane := range c {
				d[lane] = quiet(float32(float64(f32(c[lane])) + dot(&a[lane/4+i/2*8], &b[lane%4*2+i%2])))
			}
		}
	}, nil
}

// dot is a sum of products that are exact. The hardware's order and rounding are not told.
func dot(a, b *[16]float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
