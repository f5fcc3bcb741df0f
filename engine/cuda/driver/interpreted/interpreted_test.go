package interpreted

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver"
)

// twice doubles what lies at each thread's place.
const twice = `.version 9.0
.target sm_80
.address_size 64

.visible .entry twice(
.param .align 8 .b8 twice_param_0[8]
)
.maxntid 32, 1, 1
{
.reg .f32 %f<2>;
.reg .b32 %r<1>;
.reg .b64 %rd<2>;
ld.param.u64 %rd0, [twice_param_0];
mov.u32 %r0, %tid.x;
mul.wide.u32 %rd1, %r0, 4;
add.s64 %rd0, %rd0, %rd1;
ld.global.f32 %f0, [%rd0];
add.f32 %f1, %f0, %f0;
st.global.f32 [%rd0], %f1;
ret;

}
`

func TestDevice(t *testing.T) {
	d, err := Open(map[string]string{"twice": twice})
	require.NoError(t, err)
	p, err := d.Alloc(4 * 3)
	require.NoError(t, err)
	got := make([]float32, 3)
	require.NoError(t, d.Download(got, p))
	require.True(t, math.IsNaN(float64(got[2])), "new memory is NaN")
	require.NoError(t, d.Upload(p, []float32{1, 2, 3}))
	k, err := d.Kernel("twice")
	require.NoError(t, err)
	launch := driver.Launch{Kernel: k, Grid: [3]int32{1, 1, 1}, Threads: 3, Params: binary.LittleEndian.AppendUint64(nil, uint64(p))}
	s, err := d.Record([]driver.Launch{launch, launch})
	require.NoError(t, err)
	require.NoError(t, s.Run())
	require.NoError(t, d.Download(got, p))
	require.Equal(t, []float32{4, 8, 12}, got)
	require.Equal(t, map[string]int{"twice": 2}, d.Launched)

	launch.Threads = 4
	s, err = d.Record([]driver.Launch{launch})
	require.NoError(t, err)
	failed := new(driver.LaunchError)
	require.ErrorAs(t, s.Run(), &failed)
	require.ErrorContains(t, failed, "line 17: ld.global.f32 %f0, [%rd0]: thread 3: 4 bytes at 0x100000000c are not global memory")

	require.Error(t, d.Upload(p, make([]float32, 4)))
	require.Error(t, d.Download(make([]float32, 4), p))
	require.Error(t, d.Zero(p, 13))
	require.ErrorContains(t, d.Close(), "1 allocations")
	require.NoError(t, d.Free(p))
	require.ErrorContains(t, d.Free(p), "was not allocated")
	require.NoError(t, d.Close())
	_, err = d.Kernel("thrice")
	require.EqualError(t, err, `interpreted: there is no kernel "thrice"`)
	_, err = Open(map[string]string{"empty": ""})
	require.ErrorContains(t, err, "empty: ptx: no kernel is in this text")
}

// PTX is found behind the machine code of a fatbin.
func TestPTX(t *testing.T) {
	part := func(kind uint16, content string) []byte {
		b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(nil, kind), 0)
		b = binary.LittleEndian.AppendUint64(append(b[:4], 64, 0, 0, 0), uint64(len(content)))
		return append(append(b, make([]byte, 64-len(b))...), content...)
	}
	code := append(make([]byte, 16), part(2, "machine code")...)
	require.Empty(t, PTX(string(code)))
	require.Equal(t, twice, PTX(string(append(code, part(1, twice+"\x00\x00")...))))
}
