package cuda

import "mdp/engine"

// Variant is one of the kernels for the tiled product that every convolution is.
// All of them compute the same sums; each adds them up in an order of its own.
type Variant string

// The variants. Small and Large need channels in fours; where they are not, as in a
// network's first convolution, both are Small with 4 bytes a load. Of 16 bits in memory
// they need them in eights, or else are Short. One tap that reads each pixel once needs
// no geometry; the general ones do as with many.
const (
	Chosen       Variant = ""      // by the convolution's sizes alone
	Tiled        Variant = "tiled" // kernels/gemm.cuh: element by element, nothing ahead
	Small        Variant = "small" // kernels/pipeline.cuh: loads ahead of the sums, 16 bytes each
	Large        Variant = "large" // the same with four times the tile: half the loads for a product
	Short        Variant = "short" // Small with 8 bytes a load of what has 16 bits in memory
	SmallGeneral Variant = "small general"
	LargeGeneral Variant = "large general"
)

// gemm is what a launch must know of a variant.
type gemm struct {
	suffix        string
	tile, threads int
	shared        int    // bytes, where all of it is float32
	plain         string // what its name ends with where there is one tap
}

var gemms = map[Variant]gemm{
	Tiled:        {suffix: "", tile: tile, threads: blockThreads, shared: 2 * 4 * tileK * (tile + 4)},
	Small:        {"_small", 64, 128, stages * 2 * 4 * 64 * depth, "_1x1"},
	Large:        {"_large", 128, 256, stages * 2 * 4 * 128 * depth, "_1x1"},
	Short:        {"_small_short", 64, 128, stages * 2 * 4 * 64 * depth, ""},
	SmallGeneral: {"_small", 64, 128, stages * 2 * 4 * 64 * depth, ""},
	LargeGeneral: {"_large", 128, 256, stages * 2 * 4 * 128 * depth, ""},
}

var onesGemm = gemm{"_ones", 64, 128, stages * 2 * 4 * 64 * depth, ""}

const (
	depth  = 32 // of a stage in kernels/pipeline.cuh
	stages = 3
)

// product is the matrices that one direction of a convolution multiplies: layers
// of rows × columns each.
type product struct {
	rows, columns, layers int
	columnsFirst          bool // in the grid's x
	quads, octets         bool // memory holds what is multiplied in fours, in eights
	plain                 bool // one tap reads each pixel once
	activations           int  // how many of the two matrices are of these: in 16 bits, they take half the room
}

func forwardProduct(g engine.Conv) product {
	c := g.C / g.Groups
	return product{rows: g.N * g.P * g.Q, columns: g.K / g.Groups, layers: g.Groups, activations: 1, quads: c%4 == 0, octets: c%8 == 0, plain: plain(g)}
}

func dataProduct(g engine.Conv) product {
	phase := g.N * ceilDiv(g.H, g.Stride[0]) * ceilDiv(g.W, g.Stride[1]) // pixels of the largest
	return product{rows: phase, columns: g.C / g.Groups, layers: g.Groups * g.Stride[0] * g.Stride[1], activations: 1, quads: bothIn(4, g), octets: bothIn(8, g), plain: plain(g)}
}

func filterProduct(g engine.Conv) product {
	return product{rows: g.K / g.Groups, columns: g.R * g.S * (g.C / g.Groups), layers: g.Groups * filterParts(g), columnsFirst: true, activations: 2, quads: bothIn(4, g), octets: bothIn(8, g), plain: plain(g)}
}

func bothIn(n int, g engine.Conv) bool { return g.C/g.Groups%n == 0 && g.K/g.Groups%n == 0 }

func plain(g engine.Conv) bool {
	one := [2]int{1, 1}
	return g.R == 1 && g.S == 1 && g.Stride == one && g.Pad == [2]int{} && g.P == g.H && g.Q == g.W
}

// masked is the product under a mask, which has channels to look for.
func (p product) masked() product {
	p.plain = false
	return p
}

func (p product) grid(k gemm) grid {
	rows, columns := int32(ceilDiv(p.rows, k.tile)), int32(ceilDiv(p.columns, k.tile))
	if p.columnsFirst {
		return grid{columns, rows, int32(p.layers)}
	}
	return grid{rows, columns, int32(p.layers)}
}

// enoughBlocks is one for nearly each multiprocessor of the largest GPUs.
const enoughBlocks = 108

// choose prefers the large tile where it is filled and there are enough of them. What
// is narrow has 16 bits in memory.
func (p product) choose(v Variant, narrow bool) gemm {
	if v == Chosen {
		v = Small
		g := p.grid(gemms[Large])
		if min(p.rows, p.columns) > gemms[Small].tile && int(g[0])*int(g[1])*int(g[2]) >= enoughBlocks {
			v = Large
		}
	}
	k := gemms[v]
	switch {
	case v == Tiled:
	case narrow && !p.quads: // no copy ahead is so short
		k = gemms[Tiled]
	case narrow && !p.octets:
		k = gemms[Short]
	case !narrow && !p.quads:
		k = onesGemm
	case !narrow && v == Short: // a copy is 16 bytes anyway
		k = gemms[SmallGeneral]
	}
	if narrow && k.suffix != "" { // its tiles hold what memory does
		k.shared = k.shared * (4 - p.activations) / 4
	}
	if p.plain {
		k.suffix += k.plain
	}
	return k
}

// launchGemm adds the variant of a kernel that suits the product.
func launchGemm[P any](l *lowering, name string, p product, params P) {
	k := p.choose(l.variant, l.narrow())
	launchOf(l, name+l.gemm+k.suffix, k.threads, p.grid(k), params)
	l.launches[len(l.launches)-1].Shared = k.shared
}
