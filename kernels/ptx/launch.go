package ptx

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Launch is the grid of a kernel.
type Launch struct {
	Grid    [3]int32
	Threads int // of a block, all in x
	Shared  int // bytes, of the launch's size
	Params  []byte
}

// What a block may have: bytes and threads.
const (
	mostShared  = 227 << 10
	mostThreads = 1024
)

// Launch runs all blocks, to their end or the first error, and returns how many
// instructions threads have executed.
func (k *Kernel) Launch(memory *Memory, l Launch) (instructions int64, err error) {
	g := l.Grid
	static := k.dynamic - sharedBase
	switch {
	case len(l.Params) != k.params:
		return 0, fmt.Errorf("ptx: %s takes %d bytes of parameters, got %d", k.Name, k.params, len(l.Params))
	case l.Threads < 1 || l.Threads > min(k.threads, mostThreads):
		return 0, fmt.Errorf("ptx: %s is for %d threads a block, not %d", k.Name, k.threads, l.Threads)
	case g[0] < 1 || g[1] < 1 || g[2] < 1 || g[1] > 65535 || g[2] > 65535:
		return 0, fmt.Errorf("ptx: %s: a grid of %dx%dx%d blocks", k.Name, g[0], g[1], g[2])
	case l.Shared < 0 || l.Shared+static > mostShared:
		return 0, fmt.Errorf("ptx: %s: %d bytes of shared memory and %d of its own", k.Name, l.Shared, static)
	}
	blocks := int64(g[0]) * int64(g[1]) * int64(g[2])
	var next, done atomic.Int64
	errs := make([]error, min(int64(runtime.GOMAXPROCS(0)), blocks))
	var all sync.WaitGroup
	for worker := range errs {
		all.Go(func() {
			b := k.block(l, memory)
			defer k.pool.Put(b)
			for i := next.Add(1) - 1; i < blocks && errs[worker] == nil; i = next.Add(1) - 1 {
				b.at = [3]uint64{uint64(i % int64(g[0])), uint64(i / int64(g[0]) % int64(g[1])), uint64(i / int64(g[0]) / int64(g[1]))}
				errs[worker] = b.run(uint64(i))
			}
			if errs[worker] != nil {
				next.Store(blocks)
			}
			for i := range b.warps {
				done.Add(b.warps[i].count)
			}
		})
	}
	all.Wait()
	return done.Load(), errors.Join(errs...)
}

// block is one that was of use before, or new.
func (k *Kernel) block(l Launch, memory *Memory) *block {
	b, ok := k.pool.Get().(*block)
	if !ok {
		b = &block{kernel: k}
	}
	b.launch, b.memory = &l, memory
	for len(b.warps) < (l.Threads+31)/32 {
		b.warps = append(b.warps, warp{
			values: make([]vector, k.values), written: make([]uint32, k.values),
			preds: make([]uint32, k.preds), predsWritten: make([]uint32, k.preds), flying: make([]uint8, k.values),
		})
	}
	b.warps = b.warps[:(l.Threads+31)/32]
	for i := range b.warps {
		b.warps[i].count = 0
	}
	size := k.dynamic - sharedBase + l.Shared
	b.shared = append(b.shared[:0], make([]byte, size)...)
	if k.warpgroups {
		b.fenced = make([]int32, (size+15)/16)
	}
	return b
}
