package cpu

// tile is the argument of the two kernels that write output pixels. A row is a
// pixel, a column an output channel, and the sum runs over segs segments of seg
// elements that lie segStride apart: the rows of a filter's window. The assembly
// knows the fields' offsets from gen/gemm, as it does outer's.
type tile struct {
	a         []float32 // what is convolved: row i starts at a[i·lda]
	b         []float32 // the packed filter
	c         []float32 // the output: row i starts at c[i·ldc]
	z         []float32 // added to the output, laid out as c is; it may be c; nil is zero
	bias      []float32 // one per column; nil is zero
	rows      int
	cols      int
	step      int // rows computed at a time, at most the kernel's tile
	lda, ldc  int
	seg, segs int
	segStride int
	lo, hi    float32
	next      []float32 // what will be b soon, asked for meanwhile; nil where that is not known
	nextStep  int       // bytes of it for every element of a tile's sum
	aheadA    int       // bytes from a tile's rows to those asked for meanwhile, and of them for every element
	stepA     int
	_         ownLines
}

// announce tells what will be b after this and some more calls, this one being number call of them.
func (t *tile) announce(next []float32, call, calls int) {
	t.next = next[call*len(next)/calls:]
	sums := calls * ceil(t.rows, max(t.step, 1)) * t.seg * t.segs
	t.nextStep = ceil(4*len(next), max(sums, 1))
}

// fetch tells that the rows of a follow each other in memory.
func (t *tile) fetch(follow bool) {
	t.aheadA, t.stepA = 0, 0
	if follow {
		t.aheadA, t.stepA = 4*t.step*t.lda, 4*t.step
	}
}

// ownLines keeps the arguments of two workers off each other's cache lines, and off the pairs of them that are
// fetched together: the kernels read their fields while the other worker writes its own.
type ownLines [128]byte

// outer is the argument of the two kernels that write filter gradients: the sum
// runs over segs segments of seg pixels.
type outer struct {
	a          []float32 // output gradient
	b          []float32 // what was convolved
	c          []float32 // filter gradient
	rows       int
	cols       int
	step       int // rows computed at a time
	lda, ldb   int // distance of pixels
	segA, segB int // distance of segments
	seg, segs  int
	ldc        int
	add        bool // add to c
	aheadA     int  // bytes from a pixel to where one comes that is read later, asked for meanwhile
	aheadB     int
	_          ownLines
}

// convKernels are the inner loops for one instruction set. A panel is 1 to
// maxVectors vectors of lanes columns wide, and a tile as high as fits into the
// registers beside it; the kernels of depthwise convolutions take one vector of columns.
type convKernels struct {
	lanes int

	rows [maxVectors + 1]int // height of a tile of so many vectors
	gemm [maxVectors + 1]func(*tile)

	outerRows [maxVectors + 1]int
	outer     [maxVectors + 1]func(*outer)

	pixels   int // of a walk's tile
	walk     func(*walk)
	products func(*products)
	// Where set, walks that end otherwise: they write and take moments, take the sums of
	// the batch norm whose gradient they compute, or write that of its input.
	walkMoments, walkGradients, walkInput func(*walk)

	// pairs, where set, says that gemm and outer multiply bfloat16: an element of
	// their factors is two of them, and this makes them. There is nothing for depthwise
	// convolutions then: exact has it, and is for all that would not gain.
	pairs *pairs
	exact *convKernels
}

const maxVectors = 3

// width spreads the vectors that n columns take over panels of nearly equal
// width, so that 64 columns become 2 + 2 vectors and not 3 + 1. It returns how
// many vectors panel i of the panels has, and the vectors before it.
func (k *convKernels) width(n, i int) (vectors, before int) {
	v := (n + k.lanes - 1) / k.lanes
	p := k.panels(n)
	before = i * v / p
	return (i+1)*v/p - before, before
}

func (k *convKernels) panels(n int) int {
	return (n + k.lanes*maxVectors - 1) / (k.lanes * maxVectors)
}

// padded is n rounded up to whole vectors.
func (k *convKernels) padded(n int) int { return (n + k.lanes - 1) / k.lanes * k.lanes }

// even is the tile height that cuts n rows into the fewest tiles of nearly equal height.
func even(n, most int) int {
	tiles := (n + most - 1) / most
	return (n + tiles - 1) / max(tiles, 1)
}
