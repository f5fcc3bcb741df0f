package dtype

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every float16 by its definition: (−1)^s·2^(e−15)·(1+m/1024), subnormal for e = 0.
func TestFloat16(t *testing.T) {
	for b := range 1 << 16 {
		sign, e, m := 1-2*float64(b>>15), b>>10&31, float64(b&1023)
		want := sign * math.Ldexp(1+m/1024, e-15)
		switch {
		case e == 0:
			want = sign * math.Ldexp(m/1024, -14)
		case e == 31 && m == 0:
			want = math.Inf(int(sign))
		case e == 31:
			want = math.NaN()
		}
		var got [1]float32
		F16.Decode(got[:], []byte{byte(b), byte(b >> 8)})
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(float64(got[0])), "%04x", b)
			continue
		}
		require.Equal(t, want, float64(got[0]), "%04x", b)
		require.Equal(t, math.Signbit(want), math.Signbit(float64(got[0])), "%04x", b)
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		t    Type
		src  any
		want []float32
	}{
		{F32, []float32{1, -0.5, math.MaxFloat32}, []float32{1, -0.5, math.MaxFloat32}},
		{F64, []float64{1, -0.1, 1e300, 1e-300}, []float32{1, -0.1, float32(math.Inf(1)), 0}},
		{BF16, []uint16{0x3f80, 0xc000, 0x0001, 0x7f80}, []float32{1, -2, 0x1p-133, float32(math.Inf(1))}},
	} {
		src, err := binary.Append(nil, binary.LittleEndian, c.src)
		require.NoError(t, err)
		assert.Len(t, src, len(c.want)*c.t.Size())
		got := make([]float32, len(c.want))
		c.t.Decode(got, src)
		assert.Equal(t, c.want, got, c.t)
	}
	assert.Zero(t, Type("F8").Size())
	assert.False(t, I64.Float())
	assert.Panics(t, func() { I64.Decode(make([]float32, 1), make([]byte, 8)) })
}

// More than one chunk, and a file that ends early.
func TestRead(t *testing.T) {
	want := make([]float32, 40_000)
	for i := range want {
		want[i] = float32(i)
	}
	b, err := binary.Append(nil, binary.LittleEndian, want)
	require.NoError(t, err)
	got := make([]float32, len(want))
	require.NoError(t, F32.Read(got, bytes.NewReader(b)))
	assert.Equal(t, want, got)
	for _, n := range []int{0, 7, 1 << 16, len(b) - 1} {
		assert.ErrorIs(t, F32.Read(got, bytes.NewReader(b[:n])), io.ErrUnexpectedEOF, n)
	}
}
