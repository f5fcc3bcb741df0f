package ptx

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// block is the warps of one, and what they share.
type block struct {
	kernel *Kernel
	launch *Launch
	memory *Memory
	at     [3]uint64
	warps  []warp
	shared []byte
	issued [mostThreads / 128][][2]uint64 // operands of products, of each warpgroup
	fenced []int32                        // the thread, + 1, that wrote to 16 bytes and has not fenced them since
}

// run takes warp after warp to each barrier, in an order of its own each time: what a
// barrier lacks for is seen. Shared memory is NaN before.
func (b *block) run(seed uint64) error {
	for i := range b.shared {
		b.shared[i] = 0xff
	}
	clear(b.fenced)
	for i := range b.issued {
		b.issued[i] = b.issued[i][:0]
	}
	for i := range b.warps {
		b.warps[i].start(b, i, b.launch.Threads-32*i)
	}
	order := rand.New(rand.NewPCG(seed, 0))
	for running := true; running; {
		running = false
		for _, i := range order.Perm(len(b.warps)) {
			if err := b.advance(&b.warps[i]); err != nil {
				return err
			}
			running = running || b.warps[i].left != 0
		}
	}
	for i := range (len(b.warps) + 3) / 4 * 4 {
		if n := len(b.issued[i/4]); n > 0 && (i >= len(b.warps) || b.warps[i].products.issued != n) {
			return fmt.Errorf("ptx: %s, block %v, warp %d: a product that is not of its whole warpgroup", b.kernel.Name, b.at, i)
		}
	}
	return nil
}

// advance runs a warp to its next barrier, and says where it failed.
func (b *block) advance(w *warp) (err error) {
	defer func() {
		switch f := recover().(type) {
		case nil:
		case fault:
			in := &b.kernel.code[min(max(w.now.at-1, 0), len(b.kernel.code)-1)]
			if w.now.waits {
				in = &b.kernel.code[w.now.at]
			}
			err = fmt.Errorf("ptx: %s, block %v, warp %d, line %d: %s: %s", b.kernel.Name, b.at, w.index, in.line, strings.TrimSpace(in.text), string(f))
		default:
			panic(f)
		}
	}()
	w.run()
	return nil
}
