//go:build cuda

package kernels

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// Compiled is what machine code says of a kernel.
type Compiled struct {
	Registers    int // of a thread
	Stack        int // bytes of a thread: registers that are kept in memory
	StaticShared int // bytes
	Params       int // bytes
	Threads      int // of a block, at most
}

// AllCompiled is every kernel by architecture, such as sm_90, and name.
func AllCompiled(t *testing.T) map[string]map[string]Compiled {
	paths, err := fs.Glob(gen, "gen/*"+suffix)
	require.NoError(t, err)
	unpack, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer unpack.Close()
	all := map[string]map[string]Compiled{}
	for _, path := range paths {
		packed, err := gen.ReadFile(path)
		require.NoError(t, err)
		image, err := unpack.DecodeAll(packed, nil)
		require.NoError(t, err)
		for _, c := range codes(t, path, string(image)) {
			if all[c.architecture] == nil {
				all[c.architecture] = map[string]Compiled{}
			}
			compiledIn(t, c.elf, all[c.architecture])
		}
	}
	return all
}

// compiledIn adds the kernels of one file. What a kernel needs are attributes of sections
// that end with its name; its registers and its stack are among those of all.
func compiledIn(t *testing.T, image []byte, all map[string]Compiled) {
	f, err := elf.NewFile(bytes.NewReader(image))
	require.NoError(t, err)
	symbols, err := f.Symbols()
	require.NoError(t, err)
	word := binary.LittleEndian
	registers, stack := map[string]int{}, map[string]int{}
	attributes(t, f.Section(".nv.info"), func(number byte, value []byte) {
		switch number {
		case 0x2f:
			registers[symbols[word.Uint32(value)-1].Name] = int(word.Uint32(value[4:]))
		case 0x11:
			stack[symbols[word.Uint32(value)-1].Name] = int(word.Uint32(value[4:]))
		}
	})
	for _, s := range f.Sections {
		name, ok := strings.CutPrefix(s.Name, ".text.")
		if !ok {
			continue
		}
		require.Contains(t, stack, name)
		c := Compiled{Registers: registers[name], Stack: stack[name]}
		if shared := f.Section(".nv.shared." + name); shared != nil {
			c.StaticShared = int(shared.Size)
		}
		attributes(t, f.Section(".nv.info."+name), func(number byte, value []byte) {
			switch number {
			case 0x19:
				c.Params = int(word.Uint16(value))
			case 0x05:
				c.Threads = int(word.Uint32(value) * word.Uint32(value[4:]) * word.Uint32(value[8:]))
			}
		})
		require.NotZero(t, min(c.Registers, c.Params, c.Threads), "%s: %+v", name, c)
		all[name] = c
	}
}

// attributes are a format, a number, and a length and a value or, in other formats than
// 4, a value in the length's place.
func attributes(t *testing.T, s *elf.Section, visit func(number byte, value []byte)) {
	info, err := s.Data()
	require.NoError(t, err)
	for len(info) > 0 {
		format, number, value := info[0], info[1], info[2:4]
		info = info[4:]
		if format == 4 {
			n := binary.LittleEndian.Uint16(value)
			value, info = info[:n], info[n:]
		}
		visit(number, value)
	}
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
