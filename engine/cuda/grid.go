package cuda

import (
	"math/bits"

	"mdp/engine"
)

const (
	maxGrid       = 65535 // blocks in a grid's y and z
	tile          = 64    // tile_m and tile_n of kernels/gemm.cuh
	tileK         = 16
	blockThreads  = 256
	maxFlatBlocks = 1 << 14
)

func ceilDiv(a, b int) int { return (a + b - 1) / b }

type grid = [3]int32

// flat is the grid of a loop over n elements; see FLAT in kernels/elementwise.cuh.
func flat(n int) grid {
	return grid{int32(max(1, min(ceilDiv(n, blockThreads), maxFlatBlocks))), 1, 1}
}

// lossScaleGrid is a few blocks, each of which leaves one sum.
func lossScaleGrid(c engine.LossScale) grid {
	g := flat(c.Len)
	return grid{min(g[0], 512), 1, 1}
}

// columns is Columns of kernels/columns.cuh.
type columns struct{ Rows, C, Width, Chunk int32 }

// columnsOf shares a matrix out to blocks by its sizes alone, so that sums do
// not depend on the device: at most 512 chunks of at least 16 rows a thread.
func columnsOf(rows, c int) columns {
	width := min(32, 1<<bits.Len(uint(c-1)))
	chunk := max(16*blockThreads/width, ceilDiv(rows, 512))
	return columns{int32(rows), int32(c), int32(width), int32(chunk)}
}

func (c columns) chunks() int { return ceilDiv(int(c.Rows), int(c.Chunk)) }

func (c columns) grid() grid {
	return grid{int32(ceilDiv(int(c.C), int(c.Width))), int32(c.chunks()), 1}
}

// partials is the columns of what c's chunks leave, in one chunk.
func (c columns) partials() columns {
	n := int32(c.chunks())
	return columns{n, c.C, c.Width, n}
}

// pixels is a convolution's output as a matrix.
func pixels(g engine.Conv) columns { return columnsOf(g.N*g.P*g.Q, g.K) }
