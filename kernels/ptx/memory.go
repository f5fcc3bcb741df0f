package ptx

import (
	"fmt"
	"sync"
)

// Memory is a GPU's. What is allocated lies apart from all else: an address that leaves
// it leads nowhere.
type Memory struct {
	mu     sync.RWMutex
	blocks [][]byte
	atomic sync.Mutex // for atomic instructions
}

// reach is the bits of an address within what was allocated; those above say which it is.
const reach = 36

// Alloc returns the address of new memory, which is NaN.
func (m *Memory) Alloc(bytes int64) uint64 {
	b := make([]byte, bytes)
	for i := range b {
		b[i] = 0xff
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks = append(m.blocks, b)
	return uint64(len(m.blocks)) << reach
}

// Free gives it back; its address is never used again.
func (m *Memory) Free(at uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := int(at>>reach) - 1
	if at%(1<<reach) != 0 || i < 0 || i >= len(m.blocks) || m.blocks[i] == nil {
		return fmt.Errorf("ptx: free of %#x, which was not allocated", at)
	}
	m.blocks[i] = nil
	return nil
}

// Live is how many allocations were not freed.
func (m *Memory) Live() (n int) {
	for _, b := range m.blocks {
		if b != nil {
			n++
		}
	}
	return n
}

// At is so many bytes from an address on, or nil where not all of them are allocated.
func (m *Memory) At(at uint64, bytes int) []byte {
	i, from := at>>reach-1, at&(1<<reach-1)
	if i >= uint64(len(m.blocks)) || from+uint64(bytes) > uint64(len(m.blocks[i])) {
		return nil
	}
	return m.blocks[i][from:][:bytes:bytes]
}
