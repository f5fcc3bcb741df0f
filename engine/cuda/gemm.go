package cuda

import "mdp/engine"

// Variant is one of the kernels for the tiled product that every convolution is.
// All of them compute the same sums; each adds them up in an order of its own.
type Variant string

// The variants. Small and Large need channels in fours; where they are not, as in a
// network's first convolution, both are Small with 4 bytes a load. Of 16 bits in memory
// they need them in eights, or else are Short. One tap that reads each pixel once needs
// no geometry; the general ones do as with many. Those of warpgroups are for compute
// capability 9.0 and 16 bits in memory in eights; what they do not do is done by Large.
const (
	Chosen           Variant = ""                 // by the convolution's sizes, and whether there are warpgroups
	Tiled            Variant = "tiled"            // kernels/gemm.cuh: element by element, nothing ahead
	Small            Variant = "small"            // kernels/pipeline.cuh: loads ahead of the sums, 16 bytes each
	Large            Variant = "large"            // the same with four times the tile: half the loads for a product
	Short            Variant = "short"            // Small with 8 bytes a load of what has 16 bits in memory
	Warpgroup        Variant = "warpgroup"        // kernels/wgmma.cuh: operands are read from shared memory, while the next ones come
	WarpgroupHalf    Variant = "warpgroup half"   // half of its tile, so that two blocks hide one another's beginning and end
	WarpgroupNarrow  Variant = "warpgroup narrow" // half of that, for 64 channels
	SmallGeneral     Variant = "small general"
	LargeGeneral     Variant = "large general"
	WarpgroupGeneral Variant = "warpgroup general"
)

// gemm is what a launch must know of a variant.
type gemm struct {
	suffix        string
	rows, columns int // of a tile
	threads       int
	shared        int    // bytes, where all of it is float32; of a warpgroup's, what it is
	plain         string // what its name ends with where there is one tap
	warpgroup     bool
	resident      int // blocks on a multiprocessor, in 16 bits
}

var gemms = map[Variant]gemm{
	Tiled:            {"", tile, tile, blockThreads, 2 * 4 * tileK * (tile + 4), "", false, 4},
	Small:            {"_small", 64, 64, 128, stages * 2 * 4 * 64 * depth, "_1x1", false, 4},
	Large:            {"_large", 128, 128, 256, stages * 2 * 4 * 128 * depth, "_1x1", false, 1},
	Short:            {"_small_short", 64, 64, 128, stages * 2 * 4 * 64 * depth, "", false, 4},
	Warpgroup:        warpgroups("", 256, 128, 4, 1),
	WarpgroupHalf:    warpgroups("_half", 128, 128, 3, 2),
	WarpgroupNarrow:  warpgroups("_narrow", 128, 64, 4, 2),
	SmallGeneral:     {"_small", 64, 64, 128, stages * 2 * 4 * 64 * depth, "", false, 4},
	LargeGeneral:     {"_large", 128, 128, 256, stages * 2 * 4 * 128 * depth, "", false, 1},
	WarpgroupGeneral: general(warpgroups("", 256, 128, 4, 1)),
}

var onesGemm = gemm{"_ones", 64, 64, 128, stages * 2 * 4 * 64 * depth, "", false, 4}

// warpgroups are two of them, with stages of kernels/wgmma.cuh, which begin at 1 KiB.
func warpgroups(size string, rows, columns, stages, resident int) gemm {
	return gemm{"_warpgroup" + size, rows, columns, 256, stages*(rows+columns)*64*2 + 1024, "_1x1", true, resident}
}

func general(k gemm) gemm {
	k.plain = ""
	return k
}

const (
	depth  = 32 // of a stage in kernels/pipeline.cuh
	stages = 3
)

// product is the matrices that one direction of a convolution multiplies: layers
// of rows × columns each.
type product struct {
	rows, columns, layers int
	columnsFirst          bool // in the grid's x
	sum                   int  // of so many products is an element, on average
	split                 bool // into parts, where that is long
	quads, octets         bool // memory holds what is multiplied in fours, in eights
	warpgroups            bool // there are kernels of warpgroups for it
	plain                 bool // one tap reads each pixel once
	activations           int  // how many of the two matrices are of these: in 16 bits, they take half the room
}

func forwardProduct(g engine.Conv) product {
	c := g.C / g.Groups
	return product{rows: g.N * g.P * g.Q, columns: g.K / g.Groups, layers: g.Groups, sum: g.R * g.S * c, activations: 1, quads: c%4 == 0, octets: c%8 == 0, warpgroups: bothIn(8, g), plain: plain(g)}
}

func dataProduct(g engine.Conv) product {
	phases := g.Stride[0] * g.Stride[1]
	largest := g.N * ceilDiv(g.H, g.Stride[0]) * ceilDiv(g.W, g.Stride[1]) // in pixels
	taps := ceilDiv(g.R*g.S*(g.K/g.Groups), phases)                        // on average
	return product{rows: largest, columns: g.C / g.Groups, layers: g.Groups * phases, sum: taps, activations: 1, quads: bothIn(4, g), octets: bothIn(8, g), warpgroups: bothIn(8, g), plain: plain(g)}
}

func filterProduct(g engine.Conv) product {
	return product{rows: g.K / g.Groups, columns: g.R * g.S * (g.C / g.Groups), layers: g.Groups, columnsFirst: true, sum: g.N * g.P * g.Q, split: true, activations: 2, quads: bothIn(4, g), octets: bothIn(8, g), warpgroups: bothIn(8, g), plain: plain(g)}
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
	rows, columns, layers := int32(ceilDiv(p.rows, k.rows)), int32(ceilDiv(p.columns, k.columns)), int32(p.layers*p.parts(k))
	if p.columnsFirst {
		return grid{columns, rows, layers}
	}
	return grid{rows, columns, layers}
}

// parts is into how many sums a long one is split: enough blocks to fill a GPU, where each
// still has 16 steps to make. Blocks of warpgroups are not more than two for each
// multiprocessor.
func (p product) parts(k gemm) int {
	if !p.split {
		return 1
	}
	if k.warpgroup {
		tiles := p.layers * ceilDiv(p.rows, k.rows) * ceilDiv(p.columns, k.columns)
		return max(1, min(2*multiprocessors/tiles, ceilDiv(p.sum, 16*64)))
	}
	tiles := p.layers * ceilDiv(p.rows, tile) * ceilDiv(p.columns, tile)
	return max(1, min(ceilDiv(512, tiles), ceilDiv(p.sum, 16*tileK)))
}

// enoughBlocks is one for nearly each multiprocessor of the largest GPUs.
const enoughBlocks = 108

// fills says that a variant's tiles are filled by more than half, and enough.
func (p product) fills(v Variant) bool {
	k := gemms[v]
	g := p.grid(k)
	return 2*p.rows > k.rows && 2*p.columns > k.columns && int(g[0])*int(g[1])*int(g[2]) >= enoughBlocks
}

// What a multiprocessor of compute capability 9.0 does in a clock, of what is documented of
// it: nothing of this is measured.
const (
	multiprocessors = 132
	warpgroupMACs   = 2048 // in 16 bits
	warpMACs        = 1280 // by mma.sync
	cacheBytes      = 30   // from L2
	memoryBytes     = 20   // to or from memory
	sharedBytes     = 128
	startClocks     = 1500 // until the first operands are there
)

// clocks is about how long a product in 16 bits takes. A block multiplies, or waits for L2,
// and brings its sums to memory by way of shared memory; before and after, it waits for
// memory, which hides behind other blocks of its multiprocessor. That threads issue their
// instructions takes no longer: of warpgroups, a scheduler's two warps have 170 to 520 of them
// in a step, for which L2 takes 820 to 1640 clocks.
func (p product) clocks(k gemm) int {
	macs, sumBytes := warpMACs, 2
	if k.warpgroup {
		macs = warpgroupMACs
	}
	if p.split {
		sumBytes = 4
	}
	parts, area := p.parts(k), k.rows*k.columns
	step := max(area*64/macs, (k.rows+k.columns)*64*2/cacheBytes)
	busy := ceilDiv(p.sum, parts*64)*step + area*8/sharedBytes
	alone := startClocks + busy + area*sumBytes/memoryBytes
	g := p.grid(k)
	blocks := int(g[0]) * int(g[1]) * int(g[2])
	slots := multiprocessors * k.resident
	clocks := blocks / slots * max(k.resident*busy, alone)
	if rest := blocks % slots; rest > 0 {
		clocks += max(ceilDiv(rest, multiprocessors)*busy, alone)
	}
	if parts > 1 {
		clocks += 2*startClocks + (parts+1)*4*p.layers*p.rows*p.columns/(memoryBytes*multiprocessors)
	}
	return clocks
}

// fastest is of those for 16 bits in eights on compute capability 9.0.
func (p product) fastest() Variant {
	best := Warpgroup
	for _, v := range []Variant{WarpgroupHalf, WarpgroupNarrow, Small} {
		if p.clocks(gemms[v]) < p.clocks(gemms[best]) {
			best = v
		}
	}
	return best
}

// choose prefers large tiles that are filled and, where there are warpgroups, what takes the
// least time. What is narrow has 16 bits in memory.
func (p product) choose(v Variant, narrow, warpgroups bool) gemm {
	warpgroups = warpgroups && narrow && p.warpgroups
	switch {
	case v == Chosen && warpgroups:
		v = p.fastest()
	case v == Chosen && p.fills(Large):
		v = Large
	case v == Chosen:
		v = Small
	case gemms[v].warpgroup && !warpgroups && v == WarpgroupGeneral:
		v = LargeGeneral
	case gemms[v].warpgroup && !warpgroups:
		v = Large
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
	if narrow && k.suffix != "" && !k.warpgroup { // its tiles hold what memory does
		k.shared = k.shared * (4 - p.activations) / 4
	}
	k.shared = max(k.shared, 4*k.rows*(k.columns+8)) // sums go to memory by way of it
	if p.plain {
		k.suffix += k.plain
	}
	return k
}

// launchGemm adds the variant of a kernel that suits the product.
func launchGemm[P any](l *lowering, name string, p product, params P) {
	k := l.choose(p)
	launchOf(l, name+l.gemm+k.suffix, k.threads, p.grid(k), params)
	l.launches[len(l.launches)-1].Shared = k.shared
}

func (l *lowering) choose(p product) gemm { return p.choose(l.variant, l.narrow(), l.warpgroups) }

// filterWords is the scratch memory of a filter of n weights in 16 bits, where the
// product wants it so.
func (b *Backend) filterWords(p product, n int) int {
	if !b.choose(p).warpgroup {
		return 0
	}
	return narrowWords(n)
}

// mostParts is of a weight gradient's sums at most: Small's where its activations are in
// float32 after all.
func (b *Backend) mostParts(g engine.Conv) int {
	p := filterProduct(g)
	return max(p.parts(b.choose(p)), p.parts(gemms[Small]))
}

// choose for calls whose activations lie as the backend's programs have them.
func (b *Backend) choose(p product) gemm {
	return p.choose(b.variant, b.storage != engine.Float32, b.warpgroups())
}

func (b *Backend) padded(g engine.Conv) engine.Conv {
	return padded(g, b.variant, b.storage != engine.Float32)
}

// narrowWords is the room of n weights in 16 bits, which leaves what follows on 16 bytes.
func narrowWords(n int) int { return 4 * ceilDiv(n, 8) }

// warpgroups says that the device has them: compute capability 9.0, and the emulation.
func (b *Backend) warpgroups() bool {
	c := b.device.Info().Capability
	return c == [2]int{9, 0} || c[0] == 0
}

// filter is where a product finds its filter of n weights, in 16 bits in the first of the
// scratch memory where it wants it so.
func (l *lowering) filter(w engine.Buffer, p product, n int) pointer {
	if !l.choose(p).warpgroup {
		return l.at(w)
	}
	narrow := l.scratch
	launch(l, "narrow"+l.in, packs(n), narrowParams{narrow, l.at(w), int64(n)})
	l.scratch = narrow.Offset(narrowWords(n))
	return narrow
}
