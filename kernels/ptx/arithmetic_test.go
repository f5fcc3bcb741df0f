package ptx

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestArithmetic holds instructions against results that the PTX ISA's text asks for.
func TestArithmetic(t *testing.T) {
	const nan, inf = 0x7fffffff, 0x7f800000
	one := uint64(math.Float32bits(1))
	for _, c := range []struct {
		op      string
		x, y, z uint64
		want    uint64 // of as many bits as the register has
		bits    int
	}{
		{"add.s32", 0x7fffffff, 1, 0, 0x80000000, 32},
		{"sub.s64", 0, 1, 0, math.MaxUint64, 64},
		{"mul.lo.s32", 0x10001, 0x10001, 0, 0x20001, 32},
		{"mul.hi.s32", 0xffffffff, 3, 0, 0xffffffff, 32},
		{"mul.hi.u32", 0xffffffff, 3, 0, 2, 32},
		{"mul.wide.s32", 0xffffffff, 3, 0, math.MaxUint64 - 2, 64},
		{"mul.wide.u32", 0xffffffff, 3, 0, 0x2fffffffd, 64},
		{"mul.wide.u16", 0xffff, 0xffff, 0, 0xfffe0001, 32},
		{"mad.lo.s32", 5, 0xfffffffe, 1, 0xfffffff7, 32},
		{"div.s32", 0xfffffff9, 2, 0, 0xfffffffd, 32}, // towards zero
		{"rem.s32", 0xfffffff9, 2, 0, 0xffffffff, 32},
		{"div.u64", 7, 2, 0, 3, 64},
		{"min.s32", 0xffffffff, 1, 0, 0xffffffff, 32},
		{"max.u32", 0xffffffff, 1, 0, 0xffffffff, 32},
		{"neg.s16", 1, 0, 0, 0xffff, 16},
		{"shl.b32", 1, 32, 0, 0, 32},
		{"shl.b64", 1, 40, 0, 1 << 40, 64},
		{"shr.s32", 0x80000000, 40, 0, 0xffffffff, 32},
		{"shr.u32", 0x80000000, 31, 0, 1, 32},
		{"shr.u32", 0x80000000, 32, 0, 0, 32},
		{"shr.s64", 1 << 63, 63, 0, math.MaxUint64, 64},
		{"not.b32", 5, 0, 0, 0xfffffffa, 32},
		{"xor.b32", 5, 6, 0, 3, 32},

		{"add.f32", one, nan, 0, nan, 32},
		{"sub.f32", inf, inf, 0, nan, 32},
		{"mul.f32", 1, one, 0, 1, 32}, // what is less than normal stays
		{"max.f32", 0x80000000, 0, 0, 0, 32},
		{"min.f32", 0, 0x80000000, 0, 0x80000000, 32},
		{"max.f32", nan, one, 0, one, 32},
		{"min.f32", one, nan, 0, one, 32},
		{"max.f32", nan, nan, 0, nan, 32},
		{"neg.f32", 0, 0, 0, 0x80000000, 32},
		{"sqrt.rn.f32", 0x40000000, 0, 0, 0x3fb504f3, 32},
		{"rcp.rn.f32", 0x40400000, 0, 0, 0x3eaaaaab, 32},
		{"div.rn.f32", one, 0, 0, inf, 32},
		{"fma.rn.f32", 0x3f800001, 0x3f800001, 0xbf800002, 0x28800000, 32}, // 2⁻⁴⁶ is what rounding the product loses
		{"fma.rm.f32", one, one, 0xb3000000, 0x3f7fffff, 32},
		{"ex2.approx.ftz.f32", 0x41200000, 0, 0, 0x44800000, 32},
		{"ex2.approx.ftz.f32", 0xc2ff0000, 0, 0, 0, 32}, // 2^-127.5

		{"cvt.s64.s32", 0x80000000, 0, 0, 0xffffffff80000000, 64},
		{"cvt.u64.u32", 0x80000000, 0, 0, 0x80000000, 64},
		{"cvt.u32.u64", 0x100000005, 0, 0, 5, 32},
		{"cvt.u16.u32", 0x10005, 0, 0, 5, 16},
		{"cvt.rzi.s32.f32", 0xc02ccccd, 0, 0, 0xfffffffe, 32}, // -2.7
		{"cvt.rzi.s32.f32", inf, 0, 0, 0x7fffffff, 32},
		{"cvt.rzi.s32.f32", nan, 0, 0, 0, 32},
		{"cvt.rn.f32.s32", 0x1000001, 0, 0, 0x4b800000, 32}, // to even
		{"cvt.sat.f32.f32", 0x40000000, 0, 0, one, 32},
		{"cvt.sat.f32.f32", nan, 0, 0, 0, 32},
		{"cvt.rna.tf32.f32", 0x3f801000, 0, 0, 0x3f802000, 32},
		{"cvt.rna.tf32.f32", 0xbf800fff, 0, 0, 0xbf800000, 32},
		{"cvt.rn.bf16x2.f32", one, 0x3f808000, 0, 0x3f803f80, 32}, // the first is above; to even
		{"cvt.rn.bf16x2.f32", 0x3f818000, 0x7f7fffff, 0, 0x3f827f80, 32},
		{"cvt.rn.f16x2.f32", 0xc0000000, 0x477fefff, 0, 0xc0007bff, 32},
		{"cvt.rn.f16x2.f32", 0x477ff000, 0x33000001, 0, 0x7c000001, 32}, // 65520 is infinite; more than half of the least
		{"cvt.rn.f16x2.f32", 0x33000000, 0x80000000, 0, 0x00008000, 32},
	} {
		f, operands := lookUp(strings.Split(c.op, "."))
		require.NotNil(t, f, c.op)
		require.LessOrEqual(t, operands, 3)
		got := f(c.x, c.y, c.z) & low(c.bits/8)
		assert.Equal(t, c.want, got, "%s %#x, %#x, %#x is %#x, not %#x", c.op, c.x, c.y, c.z, got, c.want)
	}
}

// TestFMA is rounded once: held against exact arithmetic, where sums cancel and where they
// lie half way.
func TestFMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() float32 {
		return math.Float32frombits(rng.Uint32()&0x807fffff | uint32(127-30+rng.IntN(60))<<23)
	}
	modes := map[string]big.RoundingMode{"fma.rn": big.ToNearestEven, "fma.rm": big.ToNegativeInf}
	for i := range 200_000 {
		x, y, z := random(), random(), random()
		if i%4 == 0 {
			z = -x * y * (1 + float32(rng.IntN(3)-1)*0x1p-23)
		}
		if i%4 == 1 { // ties and what lies next to them
			x, y = math.Float32frombits(math.Float32bits(x)&^0xfff), math.Float32frombits(math.Float32bits(y)&^0x7ff)
		}
		exact := new(big.Float).SetPrec(2000).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
		exact.Add(exact, big.NewFloat(float64(z)))
		for name, mode := range modes {
			want, _ := new(big.Float).SetPrec(24).SetMode(mode).Set(exact).Float32()
			got := f32(float32s[name](b32(x), b32(y), b32(z)))
			require.True(t, want == got, "%s %g %g %g is %g, not %g", name, x, y, z, got, want)
		}
	}
}

// TestHalves: each number is its own, and what lies between two goes to the nearer one.
func TestHalves(t *testing.T) {
	for bits := range 0x7c00 {
		v, next := fromHalf(uint16(bits)), fromHalf(uint16(bits+1))
		require.Equal(t, uint64(bits), toHalf(v))
		require.Equal(t, uint64(bits|0x8000), toHalf(-v))
		if bits == 0x7bff {
			next = 65536
		}
		middle := (v + next) / 2
		require.Equal(t, uint64(bits+bits&1), toHalf(middle), "%g is a tie", middle)
		require.Equal(t, uint64(bits), toHalf(math.Nextafter32(middle, 0)))
		require.Equal(t, uint64(bits+1), toHalf(math.Nextafter32(middle, 1e9)))
	}
	for bits := uint64(0); bits < 0x7f80; bits++ {
		v, next := float64(f32(bits<<16)), float64(f32((bits+1)<<16))
		middle := float32((v + next) / 2)
		if bits == 0x7f7f {
			middle = f32(0x7f7f8000)
		}
		require.Equal(t, bits, toBrain(f32(bits<<16)))
		require.Equal(t, bits+bits&1, toBrain(middle), "%g is a tie", middle)
		require.Equal(t, bits, toBrain(math.Nextafter32(middle, 0)))
		require.Equal(t, bits+1, toBrain(math.Nextafter32(middle, float32(math.Inf(1)))))
	}
}

// Floats compare false where one is not a number, and true where the name ends with u.
func TestComparisons(t *testing.T) {
	one, two, nan := b32(1), b32(2), uint64(0x7fc00000)
	for name, want := range map[string][3]bool{ // 1 ? 2, 1 ? 1, NaN ? 1
		"eq": {false, true, false}, "ne": {true, false, false}, "lt": {true, false, false}, "le": {true, true, false}, "gt": {false, false, false}, "ge": {false, true, false},
		"equ": {false, true, true}, "neu": {true, false, true}, "ltu": {true, false, true}, "leu": {true, true, true}, "gtu": {false, false, true}, "geu": {false, true, true},
		"num": {true, true, false}, "nan": {false, false, true},
	} {
		f := comparison(name, "f32")
		assert.Equal(t, want, [3]bool{f(one, two), f(one, one), f(nan, one)}, name)
	}
	assert.True(t, comparison("lt", "s32")(0xffffffff, 0))
	assert.False(t, comparison("lt", "u32")(0xffffffff, 0))
	assert.Nil(t, comparison("xx", "s32"))
}

// TestLayouts holds where a product of warpgroups finds its operands and has its sums
// against CuTe's algebra: hashes by testdata/layouts.py.
func TestLayouts(t *testing.T) {
	file, err := os.Open("../testdata/layouts.txt")
	require.NoError(t, err)
	defer file.Close()
	want := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, hash, _ := strings.Cut(lines.Text(), " ")
		if name == "1" { // 128 bytes; along or across
			name, hash, _ = strings.Cut(hash, " ")
		} else if name != "sums" {
			continue
		}
		want[name] = hash
	}
	hashed := func(visit func(add func(uint64))) string {
		h := fnv.New64a()
		visit(func(v uint64) { h.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}) })
		return fmt.Sprintf("%016x", h.Sum64())
	}
	const descriptor = 1<<62 | 0x2400>>4 | 0x2000>>4<<16 | 0x800>>4<<32
	for name, across := range map[string]bool{"0": false, "1": true} {
		o := operandOf(descriptor, across)
		assert.Equal(t, want[name], hashed(func(add func(uint64)) {
			for row := range uint64(128) {
				for k := range uint64(16) {
					add(o.at(row, k))
				}
			}
		}), "across %v", across)
	}
	assert.Equal(t, want["sums"], hashed(func(add func(uint64)) {
		for thread := range 128 {
			for i := range 64 {
				row, column := sumAt(thread%32, i)
				add(uint64(column*64 + thread/32*16 + row))
			}
		}
	}))
}
