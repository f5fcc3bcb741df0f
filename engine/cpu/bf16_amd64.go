package cpu

//go:generate go run ./gen/gemm -bf16 -out bf16_amd64.s

// avx512BF16Conv takes pairs of bfloat16 where avx512Conv takes float32; what has
// no products of channels stays as it is.
var avx512BF16Conv = convKernels{
	lanes: 16,
	rows:  avx512Conv.rows,
	gemm:  [maxVectors + 1]func(*tile){nil, gemmBF16x1, gemmBF16x2, gemmBF16x3},

	outerRows: avx512Conv.outerRows,
	outer:     [maxVectors + 1]func(*outer){nil, outerBF16x1, outerBF16x2, outerBF16x3},

	pairs: &pairs{narrowBF16, joinBF16, turnBF16},
	exact: &avx512Conv,
}

// The kernels in assembly compute the loops of gemmBF16Generic and outerBF16Generic.

//go:noescape
func gemmBF16x1(t *tile)

//go:noescape
func gemmBF16x2(t *tile)

//go:noescape
func gemmBF16x3(t *tile)

//go:noescape
func outerBF16x1(t *outer)

//go:noescape
func outerBF16x2(t *outer)

//go:noescape
func outerBF16x3(t *outer)

// narrowBF16 is narrowGeneric's loop.
//
//go:noescape
func narrowBF16(dst, src []float32, pixels, depth, apart int)

// joinBF16 is joinGeneric's loop.
//
//go:noescape
func joinBF16(dst, lo, hi []float32)

// turnBF16 is turnGeneric's loop for 16 lanes.
//
//go:noescape
func turnBF16(dst, src []float32, width, stride, cols, depth int)
