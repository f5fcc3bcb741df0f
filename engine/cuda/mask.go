package cuda

import (
	"fmt"

	"mdp/engine"
)

// Mask says which channels of a convolution take part, in chunks of Chunk
// neighbours. In and Out are buffers of chunks+1 float32 that ChunkList makes;
// None is every channel. What is off is neither read nor multiplied, whatever
// lies there, and the result is bit for bit that of the dense call with zeros in
// its place.
type Mask struct {
	Chunk   int
	In, Out engine.Buffer
}

// The masked calls, of convolutions in one group. Other backends do not know them.
type (
	// MaskedConvForward is engine.ConvForward with c over the input's channels
	// that are on. Y is zero in the output's channels that are off, or what it was
	// where Leave is set.
	MaskedConvForward struct {
		engine.ConvForward
		Mask
		Leave bool
	}
	// MaskedConvBackwardData is engine.ConvBackwardData with k over the output's
	// channels that are on. In the input's that are off DX is zero or, with
	// Accumulate, what it was.
	MaskedConvBackwardData struct {
		engine.ConvBackwardData
		Mask
	}
	// MaskedConvBackwardFilter is engine.ConvBackwardFilter where both channels are
	// on and zero elsewhere.
	MaskedConvBackwardFilter struct {
		engine.ConvBackwardFilter
		Mask
	}
)

// MaskFilter makes what is off in a filter, or in its gradient, zero:
//
//	for k, r, s, c: w[k,r,s,c] = 0 where k or c is off
type MaskFilter struct {
	K, RS, C int // RS taps
	Filter   engine.Buffer
	Mask
}

func (c MaskFilter) geometry() engine.Conv { return engine.Conv{K: c.K, C: c.C, Groups: 1} }

func (c MaskFilter) Operands() []engine.Operand {
	w := engine.Operand{Name: "w", Buffer: c.Filter, Len: c.K * c.RS * c.C, Read: true, Write: true}
	return c.operands([]engine.Operand{w}, c.geometry())
}

func (c MaskFilter) String() string {
	return fmt.Sprintf("mask_filter/chunk%d_%dx%dx%d", c.Chunk, c.K, c.RS, c.C)
}

// ChunkList is what a mask's buffer holds: how many chunks are on, their numbers,
// and the numbers of those that are off.
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

func (c MaskedConvForward) Operands() []engine.Operand {
	o := c.operands(c.ConvForward.Operands(), c.Conv)
	if c.Leave {
		o[0].Read = true
	}
	return o
}
func (c MaskedConvBackwardData) Operands() []engine.Operand {
	return c.operands(c.ConvBackwardData.Operands(), c.Conv)
}
func (c MaskedConvBackwardFilter) Operands() []engine.Operand {
	return c.operands(c.ConvBackwardFilter.Operands(), c.Conv)
}

func (m Mask) operands(all []engine.Operand, g engine.Conv) []engine.Operand {
	if m.In != engine.None {
		all = append(all, engine.Operand{Name: "in", Buffer: m.In, Len: 1 + ceilDiv(g.C, m.Chunk), Read: true})
	}
	if m.Out != engine.None {
		all = append(all, engine.Operand{Name: "out", Buffer: m.Out, Len: 1 + ceilDiv(g.K, m.Chunk), Read: true})
	}
	return all
}

func (c MaskedConvForward) String() string        { return c.name(c.ConvForward) }
func (c MaskedConvBackwardData) String() string   { return c.name(c.ConvBackwardData) }
func (c MaskedConvBackwardFilter) String() string { return c.name(c.ConvBackwardFilter) }

func (m Mask) name(c engine.Call) string { return fmt.Sprintf("masked%d_%v", m.Chunk, c) }

// maxChunks is max_chunks of kernels/conv.cuh.
const maxChunks = 1024

func (m Mask) supports(c engine.Call, g engine.Conv) error {
	switch {
	case m.Chunk != 8 && m.Chunk != 16 && m.Chunk != 32:
		return fmt.Errorf("cuda: %v: chunks of %d channels; there are 8, 16 and 32: %w", c, m.Chunk, engine.ErrUnsupported)
	case g.Groups != 1:
		return fmt.Errorf("cuda: %v: a masked convolution has one group: %w", c, engine.ErrUnsupported)
	case ceilDiv(max(g.C, g.K), m.Chunk) > maxChunks:
		return fmt.Errorf("cuda: %v: more than %d chunks: %w", c, maxChunks, engine.ErrUnsupported)
	}
	return nil
}
