//go:build cuda

package kernels

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spills are the kernels that keep some of their registers in memory, and why they may.
var spills = map[string]string{
	"conv_forward sm_90":              "8 bytes in the epilogue of the first rung, which is for comparison alone",
	"masked_conv_backward_data sm_90": "the same",
}

// A kernel that has begun to spill computes the same, only slower: no other test sees it
// without a GPU. Of other compilers than the pinned one nothing is said.
func TestKernelsDoNotSpill(t *testing.T) {
	images, err := Fatbins([2]int{9, 0})
	require.NoError(t, err)
	manifest, err := gen.ReadFile("gen/manifest")
	require.NoError(t, err)
	if !strings.Contains(string(manifest), "cuda_13.0.r13.0") {
		t.Skip("compiled by another nvcc than scripts/cuda-toolchain's")
	}
	compiled, want := map[string]int{}, map[string]int{}
	for name, image := range images {
		want["sm_90"]++
		if !strings.HasSuffix(name, warpgroups) {
			want["sm_80"]++
		}
		for _, c := range codes(t, name, image) {
			compiled[c.architecture]++
			for kernel, bytes := range frames(t, c.elf) {
				_, may := spills[kernel+" "+c.architecture]
				assert.True(t, bytes == 0 || may && bytes <= 8, "%s spills %d bytes on %s: a smaller tile, or fewer blocks in THREADS, has more registers", kernel, bytes, c.architecture)
			}
		}
	}
	require.Equal(t, want, compiled)
}

type code struct {
	architecture string
	elf          []byte
}

// codes of a fatbin: behind 16 bytes, each has a header, which begins with its kind, its
// own length and that of what follows it.
func codes(t *testing.T, name, image string) []code {
	word := binary.LittleEndian
	b := []byte(image)
	require.Equal(t, uint32(0xba55ed50), word.Uint32(b), "%s is no fatbin", name)
	var all []code
	for b = b[16:]; len(b) > 0; {
		kind, header, size := word.Uint16(b), word.Uint32(b[4:]), word.Uint64(b[8:])
		if kind == 2 { // machine code; 1 is PTX
			all = append(all, code{fmt.Sprintf("sm_%d", word.Uint32(b[28:])), b[header:][:size]})
		}
		b = b[uint64(header)+size:]
	}
	return all
}

// frames is the bytes of stack of each kernel. They are attributes: a format, a number, a
// length and a value. Number 0x11 is a symbol and its frame's size; symbols that begin
// with $ are what kernels call.
func frames(t *testing.T, image []byte) map[string]uint32 {
	f, err := elf.NewFile(bytes.NewReader(image))
	require.NoError(t, err)
	symbols, err := f.Symbols()
	require.NoError(t, err)
	info, err := f.Section(".nv.info").Data()
	require.NoError(t, err)
	all := map[string]uint32{}
	word := binary.LittleEndian
	for len(info) > 0 {
		format, number, size := info[0], info[1], word.Uint16(info[2:])
		info = info[4:]
		if format != 4 { // the value is in the length's place
			continue
		}
		if number == 0x11 {
			if name := symbols[word.Uint32(info)-1].Name; !strings.HasPrefix(name, "$") {
				all[name] = word.Uint32(info[4:])
			}
		}
		info = info[size:]
	}
	require.NotEmpty(t, all)
	return all
}
