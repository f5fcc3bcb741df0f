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

// packs is the grid of a loop over n elements, eight at a time.
func packs(n int) grid { return flat(ceilDiv(n, 8)) }

// lossScaleGrid is a few blocks, each of which leaves one sum.
func lossScaleGrid(c engine.LossScale) grid {
	g := packs(c.Len)
	return grid{min(g[0], 512), 1, 1}
}

// columns is Columns of kernels/columns.cuh.
type columns struct{ Rows, C, Width, Chunk, Each int32 }

// How many blocks at most share out what is summed and what is not: at four on a
// multiprocessor of 132, one wave of them, and nearly four.
const (
	sumBlocks = 512
	mapBlocks = 2048
)

// columnsOf shares a matrix out to blocks by its sizes alone, so that sums do not depend
// on the device: to as many as are wanted, of at least eight rows a thread, four of which
// are read ahead.
func columnsOf(rows, c, each, width, blocks int) columns {
	width = min(width, 1<<bits.Len(uint(ceilDiv(c, each)-1)))
	step := blockThreads / width // rows
	chunks := max(1, blocks/ceilDiv(c, width*each))
	chunk := max(8*step, ceilDiv(ceilDiv(rows, chunks), 4*step)*4*step, ceilDiv(rows, maxGrid))
	return columns{int32(rows), int32(c), int32(width), int32(chunk), int32(each)}
}

// sumsOf is of columns that are summed, mapOf of what is not; both in packs where there
// are some.
func sumsOf(rows, c int) columns { return columnsOf(rows, c, packOf(c), 32, sumBlocks) }
func mapOf(rows, c int) columns  { return columnsOf(rows, c, packOf(c), 32, mapBlocks) }

func packOf(c int) int {
	if c%4 == 0 {
		return 4
	}
	return 1
}

// fewOf is of the columns of what blocks have left: a few rows, which many threads share.
func fewOf(rows, c int) columns { return columnsOf(rows, c, 1, 8, sumBlocks) }

func (c columns) chunks() int { return ceilDiv(int(c.Rows), int(c.Chunk)) }

func (c columns) grid() grid {
	return grid{int32(ceilDiv(int(c.C), int(c.Width*c.Each))), int32(c.chunks()), 1}
}

// partials is the columns of what c's chunks leave, in one chunk.
func (c columns) partials() columns { return whole(fewOf(c.chunks(), int(c.C))) }

// whole is the same columns in one chunk.
func whole(c columns) columns {
	c.Chunk = c.Rows
	return c
}

// partsOf is the columns of a matrix of parts that are summed to n numbers: a thread has
// eight of a column, or all where they are fewer.
func partsOf(parts, n int) columns {
	lanes := 1 << (bits.Len(uint(parts) / 8))
	return whole(columnsOf(parts, n, 1, max(8, blockThreads/lanes), sumBlocks))
}

// pixels is a convolution's output as a matrix.
func pixels(g engine.Conv) columns { return columnsOf(g.N*g.P*g.Q, g.K, 1, 32, sumBlocks) }
