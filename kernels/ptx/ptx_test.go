package ptx

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kernel wraps statements in one of 128 threads at most whose parameter, in %rd0, is an address. %r0
// is the thread.
func kernel(body string) string {
	return `.version 9.0
.target sm_80
.address_size 64

.extern .shared .align 16 .b8 shared[];
.visible .entry k(
.param .align 8 .b8 k_param_0[8]
)
.maxntid 128, 1, 1
{
.reg .pred %p<9>;
.reg .b16 %rs<9>;
.reg .f32 %f<99>;
.reg .b32 %r<99>;
.reg .b64 %rd<99>;
.reg .f64 %fd<9>;
ld.param.u64 %rd0, [k_param_0];
mov.u32 %r0, %tid.x;
mul.wide.u32 %rd1, %r0, 4;
add.s64 %rd1, %rd0, %rd1;
` + strings.TrimSpace(body) + `
ret;

}
`
}

// memoryWords is what a launch has to read and write.
const memoryWords = 4096

// run launches the statements over memory that begins with these words, and returns it.
func run(t *testing.T, body string, threads int, words ...uint32) ([]uint32, error) {
	t.Helper()
	m, err := Parse(kernel(body))
	require.NoError(t, err)
	k, err := m.Kernel("k")
	if err != nil {
		return nil, err
	}
	var memory Memory
	at := memory.Alloc(4 * memoryWords)
	b := memory.At(at, 4*memoryWords)
	for i, v := range words {
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
	_, err = k.Launch(&memory, Launch{Grid: [3]int32{1, 1, 1}, Threads: threads, Shared: 4096, Params: binary.LittleEndian.AppendUint64(nil, at)})
	out := make([]uint32, memoryWords)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out, err
}

// TestDivergence parts the threads of a warp and holds what each of them does, and that
// they are together again for a shuffle.
func TestDivergence(t *testing.T) {
	out, err := run(t, `
		and.b32 %r1, %r0, 7;
		mov.u32 %r2, 0;
		setp.eq.s32 %p1, %r1, 0;
		@%p1 bra $even;
$loop:
		add.s32 %r2, %r2, 10;
		add.s32 %r1, %r1, -1;
		setp.gt.s32 %p2, %r1, 0;
		@%p2 bra $loop;
		bra.uni $end;
$even:
		mov.u32 %r2, 3;
		@!%p1 bra $loop;
$end:
		shfl.sync.bfly.b32 %r3|%p3, %r2, 1, 31, -1;
		bar.sync 0;
		st.global.u32 [%rd1], %r3;`, 64)
	require.NoError(t, err)
	for i := range 64 {
		want := 10 * ((i ^ 1) % 8)
		if want == 0 {
			want = 3
		}
		require.Equal(t, uint32(want), out[i], "thread %d", i)
	}
}

// TestMatrices has thread n store row n, from 8n on: rows of four matrices.
func TestMatrices(t *testing.T) {
	out, err := run(t, `
		mov.u32 %r1, shared;
		shl.b32 %r2, %r0, 4;
		add.s32 %r1, %r1, %r2;
		mul.lo.s32 %r2, %r0, 524296;
		add.s32 %r3, %r2, 65536;
		add.s32 %r4, %r2, 196610;
		add.s32 %r5, %r2, 327684;
		add.s32 %r6, %r2, 458758;
		st.shared.v4.u32 [%r1], {%r3, %r4, %r5, %r6};
		bar.sync 0;
		ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r2, %r3, %r4, %r5}, [%r1];
		shfl.sync.idx.b32 %r6|%p1, %r0, 5, 31, -1;
		st.global.u32 [%rd1], %r2;
		st.global.u32 [%rd1+128], %r3;
		st.global.u32 [%rd1+256], %r4;
		st.global.u32 [%rd1+384], %r5;
		st.global.u32 [%rd1+512], %r6;`, 32)
	require.NoError(t, err)
	for lane := range 32 {
		for i := range 4 {
			row, column := 8*i+lane%4*2, lane/4
			require.Equal(t, uint32(8*row+column|(8*row+8+column)<<16), out[32*i+lane], "register %d of thread %d", i, lane)
		}
		require.Equal(t, uint32(5), out[128+lane])
	}
}

func TestPicked(t *testing.T) {
	const low, high = 0x83828180, 0x07060504
	for which, want := range map[uint32]uint32{0x3210: low, 0x7654: high, 0x1054: 0x81800504, 0x0000: 0x80808080, 0xf8c8: 0x00ff00ff} {
		require.Equal(t, want, picked(low, high, which), "%04x", which)
	}
}

// Threads that are done are not waited for.
func TestSomeReturn(t *testing.T) {
	out, err := run(t, `
		setp.gt.u32 %p1, %r0, 40;
		@%p1 ret;
		bar.sync 0;
		st.global.u32 [%rd1], %r0;`, 64)
	require.NoError(t, err)
	for i := range 64 {
		want := uint32(i)
		if i > 40 {
			want = 0xffffffff
		}
		require.Equal(t, want, out[i])
	}
}

// TestFaults: each is found, and named with its line.
func TestFaults(t *testing.T) {
	const copies = `
		mov.u32 %r1, shared;
		shl.b32 %r2, %r0, 4;
		add.s32 %r1, %r1, %r2;
		cp.async.ca.shared.global [%r1], [%rd1], 4, 4;
`
	for _, c := range []struct{ name, body, says string }{
		{"unknown", "frob.b32 %r1, %r0;", "line 21: frob.b32 %r1, %r0: this instruction is not known"},
		{"unknown form", "ld.global.nc.f32 %f1, [%rd1];", "not known"},
		{"rounding", "add.rz.f32 %f1, %f2, %f3;", "not known"},
		{"operands", "add.s32 %r1, %r0;", "not known"},
		{"no register", "add.s32 %r1, %r0, %r99;", "is no register, number or symbol"},
		{"no label", "bra $nowhere;", "no such label"},
		{"below", "ld.global.u32 %r1, [%rd1+-4];", "4 bytes at 0xffffffffc are not global memory"},
		{"behind", "ld.global.u32 %r1, [%rd1+16384];", "line 21: ld.global.u32 %r1, [%rd1+16384]: thread 32: 4 bytes at 0x1000004080 are not global memory, or not all of them"},
		{"generic", "ld.f32 %f1, [%rd1];\nst.shared.f32 [shared], %f1;\nmov.u64 %rd2, shared;\nld.f32 %f1, [%rd2];", "4 bytes at 0x410 are not global memory"},
		{"misaligned", "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];", "thread 33: 16 bytes at 0x1000000084 of global memory, which is no multiple"},
		{"shared", "mov.u32 %r1, shared;\nst.shared.u32 [%r1+4096], %r0;", "not shared memory"},
		{"parameters", "ld.param.u64 %rd2, [k_param_0+8];", "not param memory"},
		{"unset is stored", "st.global.u32 [%rd1], %r5;", "%r5 is read, which thread 32 has not written"},
		{"unset of some", "setp.gt.u32 %p1, %r0, 0;\n@%p1 mov.u32 %r5, 1;\nadd.s32 %r6, %r5, 1;\nst.global.u32 [%rd1], %r6;", "%r6 is read, which thread 0 has not written"},
		{"unset branch", "setp.gt.u32 %p1, %r0, %r5;\n@%p1 ret;", "%p1 is read, which thread"},
		{"barrier apart", "setp.gt.u32 %p1, %r0, 3;\n@%p1 bra $a;\nbar.sync 0;\n$a:\nbar.sync 0;", "threads wait here for others"},
		{"shuffle of some", "setp.gt.u32 %p1, %r0, 3;\n@%p1 ret;\nshfl.sync.bfly.b32 %r3|%p3, %r0, 1, 31, -1;", "a shuffle by 1"},
		{"matrices of some", "mov.u32 %r1, shared;\nsetp.gt.u32 %p1, %r0, 3;\n@%p1 ret;\nldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r2, %r3, %r4, %r5}, [%r1];", "not of a whole warp"},
		{"matrices misaligned", "mov.u32 %r1, shared;\nldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r2, %r3, %r4, %r5}, [%r1+8];", "of shared memory, which is no multiple"},
		{"tf32", "mov.u32 %r1, 1065353217;\nmov.f32 %f1, 0f00000000;\nmma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1,%f2,%f3,%f4}, {%r1,%r1,%r1,%r1}, {%r1,%r1}, {%f1,%f1,%f1,%f1};", "has bits that TF32 has not"},
		{"copy misaligned", copies + "cp.async.cg.shared.global [%r1+8], [%rd0], 16, 16;", "16 bytes at 0x618 of shared memory"},
		{"copy behind", copies + "cp.async.cg.shared.global [%r1], [%rd0+16384], 16, 16;", "not global memory"},
		{"sums in flight", product8 + "wgmma.commit_group.sync.aligned;\nst.global.f32 [%rd1], %f1;", "or a product still writes"},
		{"sums are written", product8 + "wgmma.commit_group.sync.aligned;\nmov.f32 %f1, 0f00000000;\nwgmma.wait_group.sync.aligned 0;", "a product that is not waited for"},
		{"half a warpgroup", strings.Replace(product8, "wgmma.fence", "setp.gt.u32 %p1, %r0, 63;\n@%p1 ret;\nwgmma.fence", 1), "not of its whole warpgroup"},
		{"other operands", strings.Replace(product8, "wgmma.fence", "shr.u32 %r4, %r0, 5;\ncvt.u64.u32 %rd3, %r4;\nadd.s64 %rd2, %rd2, %rd3;\nwgmma.fence", 1), "warps of a warpgroup have other operands"},
		{"not fenced", strings.Replace(product8, "fence.proxy.async.shared::cta;", "", 1), "written and not fenced"},
		{"no wgmma.fence", strings.Replace(product8, "wgmma.fence.sync.aligned;", "", 1), "without wgmma.fence"},
		{"another layout", strings.Replace(product8, "4611686018427387904", "-9223372036854775808", 1), "a descriptor of another layout"},
		{"operand behind", strings.Replace(product8, "mov.u64 %rd3, 4611686", "mov.u64 %rd3, 4611687", 1), "not shared memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			threads := 64
			if strings.Contains(c.body, "wgmma") {
				threads = 128
			}
			_, err := run(t, c.body, threads)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// product8 is a product of 64 × 8 of zeros; strides are zero, too.
var product8 = func() string {
	var d []string
	zero := ""
	for i := range 4 {
		d = append(d, fmt.Sprintf("%%f%d", i+1))
		zero += fmt.Sprintf("mov.f32 %%f%d, 0f00000000;\n", i+1)
	}
	return zero + `
		mov.u32 %r1, shared;
		shr.u32 %r1, %r1, 4;
		mov.u32 %r2, shared;
		shl.b32 %r3, %r0, 4;
		add.s32 %r2, %r2, %r3;
		st.shared.v4.u32 [%r2], {0, 0, 0, 0};
		st.shared.v4.u32 [%r2+1024], {0, 0, 0, 0};
		fence.proxy.async.shared::cta;
		bar.sync 0;
		cvt.u64.u32 %rd2, %r1;
		mov.u64 %rd3, 4611686018427387904;
		or.b64 %rd2, %rd2, %rd3;
		wgmma.fence.sync.aligned;
		wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {` + strings.Join(d, ", ") + `}, %rd2, %rd2, 1, 1, 1, 0, 0;
`
}()

// Copies come as late as their wait lets them: nobody sees them before, and what they go to
// is NaN.
func TestCopiesComeLate(t *testing.T) {
	const copies = `
		mov.u32 %r1, shared;
		shl.b32 %r2, %r0, 4;
		add.s32 %r1, %r1, %r2;
		st.shared.u32 [%r1], %r0;
		cp.async.ca.shared.global [%r1], [%rd1], 4, 4;
		cp.async.commit_group;
		cp.async.ca.shared.global [%r1+4], [%rd1], 4, 0;
		cp.async.commit_group;
		cp.async.wait_group N;
		ld.shared.u32 %r3, [%r1];
		ld.shared.u32 %r4, [%r1+4];
		st.global.u32 [%rd1+256], %r3;
		st.global.u32 [%rd1+512], %r4;`
	for n, want := range [][2]uint32{{5, 0}, {5, 0xffffffff}, {0xffffffff, 0xffffffff}} {
		out, err := run(t, strings.Replace(copies, "N", fmt.Sprint(n), 1), 64, 7, 5)
		require.NoError(t, err)
		assert.Equal(t, want, [2]uint32{out[64+1], out[128+1]}, "all but %d groups", n)
	}
}

// What one warp reads of another without a barrier is not always there.
func TestMissingBarrier(t *testing.T) {
	const exchange = `
		mov.u32 %r1, shared;
		shl.b32 %r2, %r0, 2;
		add.s32 %r3, %r1, %r2;
		st.shared.u32 [%r3], %r0;
		bar.sync 0;
		xor.b32 %r2, %r2, 128;
		add.s32 %r3, %r1, %r2;
		ld.shared.u32 %r4, [%r3];
		st.global.u32 [%rd1], %r4;`
	for _, barrier := range []bool{true, false} {
		body := exchange
		if !barrier {
			body = strings.Replace(body, "bar.sync 0;", "", 1)
		}
		out, err := run(t, body, 64)
		require.NoError(t, err)
		right := true
		for i := range 64 {
			right = right && out[i] == uint32(i^32)
		}
		assert.Equal(t, barrier, right)
	}
}

// A launch that a driver would refuse is refused.
func TestBadLaunches(t *testing.T) {
	m, err := Parse(kernel(""))
	require.NoError(t, err)
	k, err := m.Kernel("k")
	require.NoError(t, err)
	good := Launch{Grid: [3]int32{1, 1, 1}, Threads: 64, Params: make([]byte, 8)}
	_, err = k.Launch(&Memory{}, good)
	require.NoError(t, err)
	for says, change := range map[string]func(*Launch){
		"takes 8 bytes of parameters, got 4":  func(l *Launch) { l.Params = l.Params[:4] },
		"is for 128 threads a block, not 160": func(l *Launch) { l.Threads = 160 },
		"a grid of 1x0x1 blocks":              func(l *Launch) { l.Grid[1] = 0 },
		"a grid of 1x1x65536 blocks":          func(l *Launch) { l.Grid[2] = 65536 },
		"232449 bytes of shared memory":       func(l *Launch) { l.Shared = 227<<10 + 1 },
	} {
		l := good
		change(&l)
		_, err := k.Launch(&Memory{}, l)
		require.ErrorContains(t, err, says)
	}
	_, err = m.Kernel("nonesuch")
	require.EqualError(t, err, `ptx: there is no kernel "nonesuch"`)
	_, err = Parse("nothing")
	require.Error(t, err)
}

// FuzzKernel: whatever a text is, it is a kernel or an error.
func FuzzKernel(f *testing.F) {
	for _, body := range []string{product8, "@!%p1 bra $a;\n$a:", "mov.b32 {%rs1, %rs2}, %r0;\nbfi.b32 %r1, %r0, %r0, 4, 4;\nselp.f32 %f1, 0f00000000, %f2, %p1;",
		"atom.global.add.f32 %f1, [%rd1+4], %f2;\nld.shared.v2.f32 {%f1, %f2}, [shared+8];\nshfl.sync.bfly.b32 %r1|%p1, %r2, 1, 31, -1;\nnot.pred %p1, %p2;",
		"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1,%f2,%f3,%f4}, {%r1,%r1,%r1,%r1}, {%r1,%r1}, {%f1,%f1,%f1,%f1};"} {
		f.Add(kernel(body))
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		for _, name := range m.Kernels() {
			_, _ = m.Kernel(name)
		}
	})
}
