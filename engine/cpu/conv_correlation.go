package cpu

// A correlation is the sum that convolution and its gradient with respect to
// the input have in common:
//
//	for n, p, q, j < cols:
//	  out[n,p,q,j] = Σ over r, s, c of in[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, c] · b[r,s,c,j]
//
// It reads and writes some channels of each pixel: offsets and distances of
// pixels, rows and images say where in memory they lie.
type correlation struct {
	n, h, w int // what is read: images, height, width,
	c       int // and elements of a pixel: channels, or pairs of them
	p, q    int // height and width of what is written,
	cols    int // and its channels
	r, s    int
	stride  [2]int
	pad     [2]int // may be negative
	dil     [2]int
	in, out layout

	batch int // images of the whole call, of which n may be a slice; 0 is n
	norm  *inputNorm
	depth int    // channels of a pixel that are read
	pairs *pairs // where set, what is gathered is pairs
}

// layout says where some channels of an image batch lie, in elements.
type layout struct{ offset, pixel, row, image int }

// nhwc is the layout of c of the channels, from the first one on.
func nhwc(h, w, channels, first int) layout {
	return layout{first, channels, w * channels, h * w * channels}
}

func (l layout) at(n, h, w int) int { return l.offset + n*l.image + h*l.row + w*l.pixel }

// dense says that a batch of h×w images is one run of equally distant pixels.
func (l layout) dense(h, w int) bool { return l.row == w*l.pixel && l.image == h*l.row }

// flat turns a correlation that reads pixel i to write pixel i into one long row.
func (g correlation) flat() correlation {
	one := [2]int{1, 1}
	if g.r*g.s == 1 && g.stride == one && g.pad == [2]int{} && g.p == g.h && g.q == g.w && g.in.dense(g.h, g.w) && g.out.dense(g.p, g.q) {
		g.w *= g.n * g.h
		g.q, g.n, g.h, g.p = g.w, 1, 1, 1
	}
	return g
}

// A gather is how a correlation's input reaches the kernels, which want the sum
// to run over segments of consecutive elements, and pixels that lie equally far
// apart.
type gather uint8

const (
	// readDirect reads the input where it lies: no padding, the elements under a row
	// of the window follow each other, and the kernels take them as they are.
	readDirect gather = iota
	// readWindow copies what a block of output pixels reads, with the padding filled
	// in, once: neighbouring pixels share it as they share the input.
	readWindow
	// readColumns copies what each pixel reads to a row of its own (im2col).
	readColumns
)

// shortRow is the width below which an image's row makes poor tiles, so that
// gathering pixels of many rows by columns is worth its copies.
const shortRow = 5

// inside says that nothing outside the images is read.
func (g *correlation) inside() bool {
	return g.pad[0] <= 0 && g.pad[1] <= 0 &&
		(g.p-1)*g.stride[0]+(g.r-1)*g.dil[0]-g.pad[0] < g.h && (g.q-1)*g.stride[1]+(g.s-1)*g.dil[1]-g.pad[1] < g.w
}

func (g *correlation) gather() gather {
	inside := g.inside()
	skips := g.stride != [2]int{1, 1} && g.r*g.s == 1
	consecutive := g.s <= 1 || g.dil[1] == 1 && g.in.pixel == g.c
	switch {
	case (g.pairs != nil || g.norm != nil) && skips, g.s > 1 && g.dil[1] > 1, g.q < shortRow && g.r*g.s > 1 && g.out.dense(g.p, g.q):
		return readColumns
	case inside && consecutive && g.pairs == nil && g.norm == nil:
		return readDirect
	}
	return readWindow
}

// A block is the output pixels of one task: whole images, or rows of one image,
// or pixels of one row.
type block struct{ n, p, q int }

// cut is the largest block of at most so many pixels that cuts the output evenly.
func (g *correlation) cut(most int) block {
	b := block{1, 1, even(g.q, most)}
	if b.q == g.q {
		b.p = even(g.p, max(most/g.q, 1))
	}
	if b.p == g.p && b.q == g.q {
		b.n = even(g.n, max(most/(g.p*g.q), 1))
	}
	return b
}

// grid is how many blocks the images, rows and pixels are cut into.
func (g *correlation) grid(b block) [3]int {
	return [3]int{ceil(g.n, b.n), ceil(g.p, b.p), ceil(g.q, b.q)}
}

// A source is where the kernels read a gathered block: pixel (i, j, l) of the
// block starts at data[i·image + j·row + l·pixel].
type source struct {
	data              []float32
	image, row, pixel int
	seg, segs, stride int // the sum under a pixel: segments, their length and distance
}

// reach is how many pixels of the input n output pixels read in one direction.
func (g *correlation) reach(dim, n int) int {
	taps := [2]int{g.r, g.s}[dim]
	if taps == 0 {
		return 0
	}
	return (n-1)*g.stride[dim] + (taps-1)*g.dil[dim] + 1
}

// scratch is the memory that gathering a block takes.
func (g *correlation) scratch(b block) int {
	switch g.gather() {
	case readWindow:
		return b.n * g.reach(0, b.p) * g.reach(1, b.q) * g.c
	case readColumns:
		return b.n * b.p * b.q * g.r * g.s * g.c
	}
	return 0
}

// read gathers the block b whose first pixel is (n, p, q).
func (g *correlation) read(in []float32, n, p, q int, b block, scratch []float32) source {
	h, w := p*g.stride[0]-g.pad[0], q*g.stride[1]-g.pad[1]
	switch g.gather() {
	case readWindow:
		return g.window(in, n, h, w, b, scratch)
	case readColumns:
		return g.columns(in, n, h, w, b, scratch)
	}
	return g.direct(in, n, p, q)
}

// direct is a block where it lies.
func (g *correlation) direct(in []float32, n, p, q int) source {
	if g.r*g.s == 0 {
		return source{}
	}
	h, w := p*g.stride[0]-g.pad[0], q*g.stride[1]-g.pad[1]
	return source{
		data: in[g.in.at(n, h, w):], image: g.in.image, row: g.stride[0] * g.in.row, pixel: g.stride[1] * g.in.pixel,
		seg: g.s * g.c, segs: g.r, stride: g.dil[0] * g.in.row,
	}
}

func (g *correlation) window(in []float32, n, h, w int, b block, dst []float32) source {
	rows, width := g.reach(0, b.p), g.reach(1, b.q)
	for i := range b.n {
		for j := range rows {
			g.line(dst[(i*rows+j)*width*g.c:][:width*g.c], in, n+i, h+j, w)
		}
	}
	line := width * g.c
	return source{
		data: dst, image: rows * line, row: g.stride[0] * line, pixel: g.stride[1] * g.c,
		seg: g.s * g.c, segs: g.r, stride: g.dil[0] * line,
	}
}

// line copies pixels of row h from column w on, with zeros outside the image.
func (g *correlation) line(dst, in []float32, n, h, w int) {
	width := len(dst) / g.c
	if h < 0 || h >= g.h {
		clear(dst)
		return
	}
	first, last := min(max(-w, 0), width), max(min(g.w-w, width), 0)
	if first >= last {
		clear(dst)
		return
	}
	clear(dst[:first*g.c])
	clear(dst[last*g.c:])
	src := in[g.in.at(n, h, w+first):]
	if g.pairs != nil {
		g.narrow(dst[first*g.c:], src, last-first, 1)
		return
	}
	if g.norm != nil {
		g.norm.copy(dst[first*g.c:last*g.c], src)
		return
	}
	if g.in.pixel == g.c {
		copy(dst[first*g.c:last*g.c], src)
		return
	}
	for i := range last - first {
		copy(dst[(first+i)*g.c:][:g.c], src[i*g.in.pixel:])
	}
}

func (g *correlation) columns(in []float32, n, h, w int, b block, dst []float32) source {
	k := g.r * g.s * g.c
	to := dst
	for i := range b.n {
		for j := range b.p {
			if g.pairs != nil && k == g.c && g.inside() {
				g.narrow(to, in[g.in.at(n+i, h+j*g.stride[0], w):], b.q, g.stride[1])
				to = to[b.q*k:]
				continue
			}
			for l := range b.q {
				for r := range g.r {
					for s := range g.s {
						g.line(to[:g.c], in, n+i, h+j*g.stride[0]+r*g.dil[0], w+l*g.stride[1]+s*g.dil[1])
						to = to[g.c:]
					}
				}
			}
		}
	}
	return source{data: dst, image: b.p * b.q * k, row: b.q * k, pixel: k, seg: k, segs: 1}
}
