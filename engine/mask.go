package engine

import "fmt"

// Mask says which channels of a convolution take part, in chunks of Chunk
// neighbours. In and Out are buffers of chunks+1 float32 that ChunkList makes; None
// is every channel. What is off is neither read nor multiplied, whatever lies there,
// and the result is bit for bit that of the dense call with zeros in its place. So a
// network runs under a mask, and costs what the mask costs, with nothing cut out.
type Mask struct {
	Chunk   int
	In, Out Buffer
}

// MaskedConvForward is ConvForward, in one group, with c over the input's channels
// that are on:
//
//	for n, p, q, k that is on:
//	  y[n,p,q,k] = act(b[k] + z[n,p,q,k] + Σ over r, s, c that is on of x[…, c] · w[k,r,s,c])
//	for n, p, q, k that is off: y[n,p,q,k] = 0, or what it was where Leave is set
type MaskedConvForward struct {
	ConvForward
	Mask
	Leave bool
}

// MaskedConvBackwardData is ConvBackwardData, in one group, with k over the output's
// channels that are on:
//
//	for n, h, w, c that is on:  dx[n,h,w,c] (+)= Σ over (r, s, p, q) and k that is on of dy[n,p,q,k] · w[k,r,s,c]
//	for n, h, w, c that is off: dx[n,h,w,c] = 0, or what it was where Accumulate is set
type MaskedConvBackwardData struct {
	ConvBackwardData
	Mask
}

// MaskedConvBackwardFilter is ConvBackwardFilter, in one group, where both channels
// are on:
//
//	for k, r, s, c: dw[k,r,s,c] = Σ over n, p, q of dy[n,p,q,k] · x[…, c], or 0 where k or c is off
type MaskedConvBackwardFilter struct {
	ConvBackwardFilter
	Mask
}

// MaskFilter makes what is off zero in a filter of RS taps, in its gradient, or, with
// RS = C = 1, in what a channel has one of:
//
//	for k, r, s, c: w[k,r,s,c] = 0 where k or c is off
type MaskFilter struct {
	K, RS, C int
	Filter   Buffer
	Mask
}

// ChunkList is what a mask's buffer holds: how many chunks are on, their numbers, and
// the numbers of those that are off.
func ChunkList(on []bool) []float32 {
	list := make([]float32, 1, len(on)+1)
	for _, state := range []bool{true, false} {
		for i, v := range on {
			if v == state {
				list = append(list, float32(i))
			}
		}
		if state {
			list[0] = float32(len(list) - 1)
		}
	}
	return list
}

// Chunks is how many chunks so many channels make.
func (m Mask) Chunks(channels int) int { return (channels + m.Chunk - 1) / m.Chunk }

func (m Mask) operands(all operands, c, k int) []Operand {
	return all.in("in", m.In, 1+m.Chunks(c)).in("out", m.Out, 1+m.Chunks(k))
}

func (c MaskedConvForward) Operands() []Operand {
	o := c.operands(c.ConvForward.Operands(), c.Conv.C, c.K)
	if c.Leave {
		o[0].Read = true
	}
	return o
}
func (c MaskedConvBackwardData) Operands() []Operand {
	return c.operands(c.ConvBackwardData.Operands(), c.C, c.K)
}
func (c MaskedConvBackwardFilter) Operands() []Operand {
	return c.operands(c.ConvBackwardFilter.Operands(), c.C, c.K)
}
func (c MaskFilter) Operands() []Operand {
	return c.operands(operands{}.inout("w", c.Filter, c.K*c.RS*c.C, true), c.C, c.K)
}

func (c MaskedConvForward) String() string {
	return c.name(c.ConvForward) + when(c.Leave, "_leave")
}
func (c MaskedConvBackwardData) String() string   { return c.name(c.ConvBackwardData) }
func (c MaskedConvBackwardFilter) String() string { return c.name(c.ConvBackwardFilter) }
func (c MaskFilter) String() string {
	return fmt.Sprintf("mask_filter%d%s/%dx%dx%d", c.Chunk, c.sides(), c.K, c.RS, c.C)
}

func (m Mask) name(c Call) string { return fmt.Sprintf("masked%d%s_%v", m.Chunk, m.sides(), c) }
func (m Mask) sides() string {
	return when(m.In == None, "_out") + when(m.Out == None, "_in")
}
