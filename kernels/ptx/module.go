// Package ptx runs PTX, the assembly that nvcc makes of the kernels, on the host: what
// the real compiler understood, and every inline instruction as the PTX ISA has it
// (version 9.0; section names in comments are its). It is for tests; nothing of it is
// fast, and nothing is forgiven: an instruction it does not know, an access out of
// bounds or misaligned, and a register that is read before it is written are errors
// that name the line.
//
//	module.go     text → kernels; parse.go text → statements
//	decode.go     statement → what it does to a warp: move.go, compare.go; scalar.go,
//	              float.go, convert.go arithmetic; access.go memory; async.go copies;
//	              matrix.go, mma.go, wgmma.go products
//	warp.go       32 threads; block.go their barriers; launch.go all blocks of a grid
//	memory.go     what a GPU has for memory
//
// What the hardware may do late is done as late as it may be: a copy happens when it is
// waited for, and what it will write is NaN until then.
package ptx

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Module is the PTX of one source.
type Module struct {
	text    string
	entries map[string]entry
	shared  map[string]array
}

// entry is where a kernel lies in the text.
type entry struct{ from, body, to int }

// array is one of shared memory; that of a launch's size has none.
type array struct{ align, bytes int }

var (
	entryHead   = regexp.MustCompile(`(?m)^\.visible \.entry (\w+)\(`)
	sharedArray = regexp.MustCompile(`(?m)^\s*(?:\.extern )?\.shared \.align (\d+) \.b8 (\w+)\[(\d*)\];`)
	paramBytes  = regexp.MustCompile(`\.param \.align \d+ \.b8 (\w+)\[(\d+)\]`)
	maxThreads  = regexp.MustCompile(`\.maxntid (\d+), 1, 1`)
	registers   = regexp.MustCompile(`^\.reg \.(pred|[bf](?:16|32|64)) (%[a-z]+)<(\d+)>$`)
)

// Parse finds the kernels of a module.
func Parse(text string) (*Module, error) {
	m := &Module{text, map[string]entry{}, map[string]array{}}
	for _, s := range sharedArray.FindAllStringSubmatch(text, -1) {
		align, _ := strconv.Atoi(s[1])
		bytes, _ := strconv.Atoi(s[3])
		m.shared[s[2]] = array{align, bytes}
	}
	for _, at := range entryHead.FindAllStringSubmatchIndex(text, -1) {
		name := text[at[2]:at[3]]
		body := strings.Index(text[at[0]:], "\n{\n")
		end := strings.Index(text[at[0]:], "\n}\n")
		if body < 0 || end < body {
			return nil, fmt.Errorf("ptx: %s has no body", name)
		}
		m.entries[name] = entry{at[0], at[0] + body + len("\n{\n"), at[0] + end + 1}
	}
	if len(m.entries) == 0 {
		return nil, fmt.Errorf("ptx: no kernel is in this text")
	}
	return m, nil
}

// Kernels are the names of all, in order.
func (m *Module) Kernels() []string { return slices.Sorted(maps.Keys(m.entries)) }

// Kernel decodes one of them.
func (m *Module) Kernel(name string) (*Kernel, error) {
	e, ok := m.entries[name]
	if !ok {
		return nil, fmt.Errorf("ptx: there is no kernel %q", name)
	}
	k := &Kernel{Name: name, symbols: map[string]uint64{}, banks: map[string]bank{}}
	head := m.text[e.from:e.body]
	params, threads := paramBytes.FindAllStringSubmatch(head, -1), maxThreads.FindStringSubmatch(head)
	if len(params) != 1 || threads == nil {
		return nil, fmt.Errorf("ptx: %s: not one struct of parameters, or no bound of its threads", name)
	}
	k.symbols[params[0][1]] = paramBase
	k.params, _ = strconv.Atoi(params[0][2])
	k.threads, _ = strconv.Atoi(threads[1])

	body := m.text[e.body:e.to]
	k.dynamic = sharedBase
	for _, s := range slices.Sorted(maps.Keys(m.shared)) { // one that a launch's size is for lies behind all others
		if a := m.shared[s]; a.bytes > 0 && strings.Contains(body, s) {
			k.dynamic = (k.dynamic + a.align - 1) / a.align * a.align
			k.symbols[s] = uint64(k.dynamic)
			k.dynamic += a.bytes
		}
	}
	k.dynamic = (k.dynamic + 15) / 16 * 16
	for s, a := range m.shared {
		if a.bytes == 0 {
			k.symbols[s] = uint64(k.dynamic)
		}
	}
	if err := k.decode(body, 1+strings.Count(m.text[:e.body], "\n")); err != nil {
		return nil, fmt.Errorf("ptx: %s: %w", name, err)
	}
	return k, nil
}

// Where parameters and shared memory begin: nowhere that an address of one could pass for
// the other's, and no better aligned than a driver promises.
const (
	paramBase  = 1 << 20
	sharedBase = 1<<10 + 16
)

// Kernel is one that can be launched, by several at once.
type Kernel struct {
	Name            string
	threads, params int // of a block, at most; bytes
	dynamic         int // where shared memory of the launch's size begins
	symbols         map[string]uint64
	banks           map[string]bank
	values, preds   int // registers
	constants       []vector
	code            []instruction
	warpgroups      bool // it multiplies by warpgroups
	pool            sync.Pool
}

// bank is the registers of one declaration: how many, which is the first, and their bytes,
// 0 for predicates.
type bank struct{ count, first, bytes int }
