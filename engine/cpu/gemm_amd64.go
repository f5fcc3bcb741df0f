package cpu

//go:generate go run ./gen/gemm -out gemm_amd64.s

// convKernelsOf are the convolution kernels of an instruction set.
func convKernelsOf(i isa) *convKernels {
	return [...]*convKernels{&genericConv, &avx2Conv, &avx512Conv, &genericBF16Conv, &avx512BF16Conv}[i]
}

var avx2Conv = convKernels{
	lanes: 8,
	rows:  [maxVectors + 1]int{0, 12, 6, 4},
	gemm:  [maxVectors + 1]func(*tile){nil, gemmAVX2x1, gemmAVX2x2, gemmAVX2x3},

	outerRows: [maxVectors + 1]int{0, 12, 6, 3},
	outer:     [maxVectors + 1]func(*outer){nil, outerAVX2x1, outerAVX2x2, outerAVX2x3},

	pixels:   12,
	walk:     walkAVX2,
	products: productsAVX2,
}

var avx512Conv = convKernels{
	lanes: 16,
	rows:  [maxVectors + 1]int{0, 28, 14, 9},
	gemm:  [maxVectors + 1]func(*tile){nil, gemmAVX512x1, gemmAVX512x2, gemmAVX512x3},

	outerRows: [maxVectors + 1]int{0, 28, 14, 9},
	outer:     [maxVectors + 1]func(*outer){nil, outerAVX512x1, outerAVX512x2, outerAVX512x3},

	pixels: 14,
	walk:   walkAVX512,

	walkMoments: walkMomentsAVX512, walkGradients: walkGradientsAVX512, walkInput: walkInputAVX512,

	products: productsAVX512,
}

// The kernels in assembly compute the loops of gemmGeneric, with
// n = vectors·lanes, of outerGeneric, walkGeneric and
// productsGeneric. A sum's order is that of its loop, starting with the bias.

//go:noescape
func gemmAVX2x1(t *tile)

//go:noescape
func gemmAVX2x2(t *tile)

//go:noescape
func gemmAVX2x3(t *tile)

//go:noescape
func gemmAVX512x1(t *tile)

//go:noescape
func gemmAVX512x2(t *tile)

//go:noescape
func gemmAVX512x3(t *tile)

//go:noescape
func outerAVX2x1(t *outer)

//go:noescape
func outerAVX2x2(t *outer)

//go:noescape
func outerAVX2x3(t *outer)

//go:noescape
func outerAVX512x1(t *outer)

//go:noescape
func outerAVX512x2(t *outer)

//go:noescape
func outerAVX512x3(t *outer)

//go:noescape
func walkAVX2(t *walk)

//go:noescape
func walkAVX512(t *walk)

//go:noescape
func walkMomentsAVX512(t *walk)

//go:noescape
func walkGradientsAVX512(t *walk)

//go:noescape
func walkInputAVX512(t *walk)

//go:noescape
func productsAVX2(t *products)

//go:noescape
func productsAVX512(t *products)
