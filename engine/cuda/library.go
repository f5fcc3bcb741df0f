package cuda

import (
	"fmt"
	"slices"

	"mdp/engine"
	"mdp/engine/cuda/driver"
)

// Library computes forward convolutions in place of our kernels: somebody else's, to
// compare with and for tables of a deployment that uses it. A backend with one is for
// timing; what it computes in 16 bits lies in memory as that.
type Library interface {
	// Name and version.
	Name() string
	// Conv readies a call whose operands lie at these places. It may try how to
	// compute it best when it is first run, on what lies there then.
	Conv(c engine.ConvForward, at func(engine.Buffer) driver.Pointer) (LibraryConv, error)
}

// LibraryConv is a call that is ready.
type LibraryConv interface {
	Run() error  // behind what was launched before
	How() string // it is computed, once it has run
	Close() error
}

// lend takes a call for the library, if there is one and it is for it.
func (e *executor) lend(i int, b *Backend) (taken bool, err error) {
	conv, ok := e.plan.Calls[i].(engine.ConvForward)
	if b.library == nil || !ok {
		return false, nil
	}
	c, err := b.library.Conv(conv, e.at)
	if err != nil {
		return false, fmt.Errorf("%s: %v: %w", b.library.Name(), conv, err)
	}
	e.lent[i] = c
	e.packs = b.precision.storage()
	return true, nil
}

// How tells how a library computes a call of the plan, "" for our kernels.
func (e *executor) How(call int) string {
	if c, ok := e.lent[call]; ok {
		return c.How()
	}
	return ""
}

// anyLent of a range: such calls are not recorded.
func (e *executor) anyLent(from, to int) bool {
	for i := from; i < to; i++ {
		if _, ok := e.lent[i]; ok {
			return true
		}
	}
	return false
}

// packed is src twice over in 16 bits, as many bytes as before.
func packed(s engine.Storage, src []float32) []float32 {
	dst := make([]float32, len(src))
	s.Encode(dst, slices.Concat(src, src))
	return dst
}
