package cpu

// The kernels of depthwise convolutions go through the channels a vector at a time. A pixel's window is cut at the
// image's edges, so pixels come in spans that read the same taps.

// walk is the argument of the kernel that convolves: some rows of the output.
type walk struct {
	a              []float32 // what is convolved
	b              []float32 // the packed filter: a vector's taps, lanes of each, are size elements
	c              []float32 // the output
	z              []float32 // added to the output, laid out as it is; it may be c; nil is zero
	bias           []float32 // of the first channel on; nil is zero
	spans          []span
	from, to       int // the rows in a, and in c and z
	vectors        int
	last           int // channels of the last vector
	size           int
	pixelA, pixelC int  // distance of the pixels of a span
	next           int  // from the last vector of these rows to the first one of those that come next
	stream         bool // write past the caches: whole vectors on cache lines alone
	lo, hi         float32

	// Of the kernels that know of a batch norm:
	x                               []float32 // its input, laid out as c is
	mean, scale, beta, shift, slope []float32 // of the first channel on, as all below
	sumG, sumX                      []float32
	nextC                           int // as next, in c
	_                               ownLines
}

// A span is some pixels of a row that read the same taps.
type span struct {
	pixels int
	step   int // pixels computed at a time, at most the kernel's
	a, c   int // the first pixel, from the first row's start
	taps   []tap
	ahead  []int // from a pixel to what the rows before it do not read, for prefetching it of the next vector
}

// tap is one term of a sum: where it reads what is convolved, from the pixel on, and where its factors lie.
type tap struct{ a, b int }

// products is the argument of the kernel that sums a filter's gradient, over some rows of the output.
type products struct {
	a              []float32 // what was convolved
	b              []float32 // the output's gradient
	c              []float32 // the filter's gradient, laid out as walk's filter is
	rects          []rect
	from, to       int // the rows in a, and in b
	vectors        int
	last           int // channels of the last vector
	size           int
	rowA, rowB     int // distance of rows
	pixelA, pixelB int // and of pixels
	nextA, nextB   int // from the last vector's rows to those that come next
	strided        bool
	_              ownLines
}

// A rect is pixels of the output that take the same taps, tapsMost at most.
type rect struct {
	rows, cols int
	a, b       int   // the first pixel
	taps       []tap // where they read a, from the pixel on, and where they lie in c
}

// tapsMost is how many taps' sums and addresses a kernel holds in registers.
const tapsMost = 9

// walkGeneric convolves every channel with its own filter:
//
//	for v < vectors, s in spans, i < s.pixels, j = v·lanes + l, l < lanes, where there is such a channel:
//	  sum = bias[j] + z[to + s.c + i·pixelC + j]
//	  sum += Σ over t in s.taps of a[from + s.a + i·pixelA + t.a + j] · b[v·size + t.b + l]
//	  c[to + s.c + i·pixelC + j] = min(max(sum, lo), hi)
func walkGeneric(t *walk) {
	for v := range t.vectors {
		lanes := genericLanes
		if v == t.vectors-1 {
			lanes = t.last
		}
		for _, s := range t.spans {
			for i := range s.pixels {
				var sum [genericLanes]float32
				if t.bias != nil {
					copy(sum[:lanes], t.bias[v*genericLanes:])
				}
				at := t.to + s.c + i*t.pixelC + v*genericLanes
				if t.z != nil {
					for l, z := range t.z[at:][:lanes] {
						sum[l] += z
					}
				}
				for _, tap := range s.taps {
					b := t.b[v*t.size+tap.b:]
					for l, a := range t.a[t.from+s.a+i*t.pixelA+tap.a+v*genericLanes:][:lanes] {
						sum[l] += a * b[l]
					}
				}
				for l, x := range sum[:lanes] {
					if x < t.lo {
						x = t.lo
					}
					if x > t.hi {
						x = t.hi
					}
					t.c[at+l] = x
				}
			}
		}
	}
}

// productsGeneric is the gradient of walkGeneric with respect to the filter:
//
//	for v < vectors, r in rects, t in r.taps, l < lanes, where there is such a channel, j = v·lanes + l:
//	  c[v·size + t.b + l] += Σ over y < r.rows, x < r.cols of
//	    a[from + r.a + y·rowA + x·pixelA + t.a + j] · b[to + r.b + y·rowB + x·pixelB + j]
func productsGeneric(t *products) {
	for v := range t.vectors {
		lanes := genericLanes
		if v == t.vectors-1 {
			lanes = t.last
		}
		for _, r := range t.rects {
			for _, tap := range r.taps {
				var sum [genericLanes]float32
				for y := range r.rows {
					for x := range r.cols {
						b := t.b[t.to+r.b+y*t.rowB+x*t.pixelB+v*genericLanes:]
						for l, a := range t.a[t.from+r.a+y*t.rowA+x*t.pixelA+tap.a+v*genericLanes:][:lanes] {
							sum[l] += a * b[l]
						}
					}
				}
				for l, x := range sum[:lanes] {
					t.c[v*t.size+tap.b+l] += x
				}
			}
		}
	}
}
