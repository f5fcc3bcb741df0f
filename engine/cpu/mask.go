package cpu

import (
	"fmt"

	"mdp/engine"
)

// masked is a masked convolution: the dense one on copies with zeros in what is
// off. It is here for what it computes, not for its speed: a mask saves nothing.
type masked struct {
	dense  op
	mask   flags
	copies []zeroed
	after  func() // sets what is off in the result
}

// flags are a mask's lists, read.
type flags struct {
	chunk         int
	lists         [2][]float32 // of the input's and the output's chunks, nil where all are on
	input, output []bool       // by channel
}

func newFlags(m engine.Mask, c, k int, of map[engine.Buffer][]float32) flags {
	return flags{m.Chunk, [2][]float32{of[m.In], of[m.Out]}, make([]bool, c), make([]bool, k)}
}

func (f *flags) read() {
	for side, on := range [][]bool{f.input, f.output} {
		list := f.lists[side]
		for c := range on {
			on[c] = list == nil
		}
		if list == nil {
			continue
		}
		for _, chunk := range list[1 : 1+int(list[0])] {
			for c := int(chunk) * f.chunk; c < min(len(on), (int(chunk)+1)*f.chunk); c++ {
				on[c] = true
			}
		}
	}
}

// zeroed copies rows×channels, dst and src being the same or apart, with zeros in the
// channels that are off and, where rows in groups of span have flags as well, in those.
type zeroed struct {
	dst, src []float32
	channels []bool
	rows     []bool // nil where they are all on
	span     int
}

func (z zeroed) run() {
	c := len(z.channels)
	for i := range len(z.src) / c {
		live := z.rows == nil || z.rows[i/z.span]
		for j, on := range z.channels {
			v := float32(0)
			if live && on {
				v = z.src[i*c+j]
			}
			z.dst[i*c+j] = v
		}
	}
}

func (o *masked) run(t *team) {
	o.mask.read()
	for _, z := range o.copies {
		z.run()
	}
	o.dense.run(t)
	if o.after != nil {
		o.after()
	}
}

// maskedWorkspace is the dense call's scratch and the copies.
func maskedWorkspace(dense int, copies ...int) int {
	n := line(dense)
	for _, c := range copies {
		n += line(c)
	}
	return n
}

func (b *Backend) maskWorkspace(c engine.Call) int {
	switch c := c.(type) {
	case engine.MaskedConvForward:
		o := c.ConvForward.Operands()
		return maskedWorkspace(b.Workspace(c.ConvForward), o[0].Len, o[1].Len, o[2].Len)
	case engine.MaskedConvBackwardData:
		o := c.ConvBackwardData.Operands()
		return maskedWorkspace(b.Workspace(c.ConvBackwardData), o[1].Len, o[2].Len)
	case engine.MaskedConvBackwardFilter:
		o := c.ConvBackwardFilter.Operands()
		return maskedWorkspace(b.Workspace(c.ConvBackwardFilter), o[1].Len, o[2].Len)
	}
	return 0
}

// compileMasked readies a masked call. Scratch is what maskWorkspace asked for.
func (b *Backend) compileMasked(c engine.Call, of map[engine.Buffer][]float32, scratch []float32) op {
	take := func(n int) []float32 {
		part := scratch[:n:n]
		scratch = scratch[line(n):]
		return part
	}
	switch c := c.(type) {
	case engine.MaskedConvForward:
		f := newFlags(c.Mask, c.Conv.C, c.K, of)
		x, w, y := take(len(of[c.X])), take(len(of[c.ConvForward.W])), of[c.Y]
		o := &masked{mask: f, copies: []zeroed{
			{dst: x, src: of[c.X], channels: f.input},
			{dst: w, src: of[c.ConvForward.W], channels: f.input, rows: f.output, span: c.R * c.S}}}
		result := y
		if c.Leave { // y is left alone until the end
			result = take(len(y))
		}
		o.after = func() {
			for i := range y {
				switch on := f.output[i%len(f.output)]; {
				case on:
					y[i] = result[i]
				case !c.Leave:
					y[i] = 0
				}
			}
		}
		dense := newConvForward(b.isa, c.ConvForward, result, x, w, of[c.B], of[c.Z], scratch, b.threads, false)
		o.dense = ending(rowsFor(b.isa), c.Act, dense, result)
		return o
	case engine.MaskedConvBackwardData:
		f := newFlags(c.Mask, c.C, c.K, of)
		dy, w := take(len(of[c.DY])), take(len(of[c.ConvBackwardData.W]))
		return &masked{mask: f, copies: []zeroed{
			{dst: dy, src: of[c.DY], channels: f.output},
			{dst: w, src: of[c.ConvBackwardData.W], channels: f.input, rows: f.output, span: c.R * c.S}},
			dense: newConvBackwardData(b.isa, c.ConvBackwardData, of[c.DX], dy, w, scratch, b.threads)}
	case engine.MaskedConvBackwardFilter:
		f := newFlags(c.Mask, c.C, c.K, of)
		dy, x := take(len(of[c.DY])), take(len(of[c.X]))
		return &masked{mask: f, copies: []zeroed{
			{dst: dy, src: of[c.DY], channels: f.output}, {dst: x, src: of[c.X], channels: f.input}},
			dense: newConvBackwardFilter(b.isa, c.ConvBackwardFilter, nil, of[c.DW], dy, x, scratch, b.threads)}
	case engine.MaskFilter:
		f := newFlags(c.Mask, c.C, c.K, of)
		return &maskFilter{f, zeroed{dst: of[c.Filter], src: of[c.Filter], channels: f.input, rows: f.output, span: c.RS}}
	}
	panic(fmt.Sprintf("cpu: %v is not masked", c))
}

type maskFilter struct {
	mask   flags
	filter zeroed
}

func (o *maskFilter) run(*team) {
	o.mask.read()
	o.filter.run()
}

// supportsMask is nil for what the loops of a mask are written for.
func supportsMask(c engine.Call, m engine.Mask, groups int) error {
	if m.Chunk < 1 || groups != 1 {
		return fmt.Errorf("cpu: %v: chunks of %d channels in %d groups; a mask is of one group: %w", c, m.Chunk, groups, engine.ErrUnsupported)
	}
	return nil
}
