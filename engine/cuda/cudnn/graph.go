//go:build cuda

package cudnn

/*
#include "calls.h"
*/
import "C"

import (
	"errors"
	"fmt"

	"mdp/engine"
)

// graph is a problem by the graph API: a plan that runs it as one.
type graph struct {
	*builder
	on      *Handle
	problem Problem
	plan    descriptor

	// Operands are handed over in a descriptor, which serves until others come.
	operands Operands
	handed   *builder
	pack     descriptor
}

// The unique ids of a graph's tensors; those from virtual on are never in memory.
const (
	idX = 1 + iota
	idW
	idY
	idZ
	idB
	virtual
)

// operations describes the problem: the convolution and the pointwise operations
// behind it, each written to a tensor that the next reads.
func (b *builder) operations(h *Handle, p Problem) descriptor {
	kind := dataType(p.Precision)
	image := func(id int64, c, height, width int) descriptor {
		return b.tensor(int(id), kind, p.Layout, p.N, c, height, width)
	}
	x, w := image(idX, p.C, p.H, p.W), b.tensor(idW, kind, p.Layout, p.K, p.C/p.Groups, p.R, p.S)
	ends := p.epilogue()
	out := func(step int) descriptor { // of the convolution and each operation behind it
		if step == len(ends) {
			return image(idY, p.K, p.P, p.Q)
		}
		return b.tensor(virtual+step, C.CUDNN_DATA_FLOAT, p.Layout, p.N, p.K, p.P, p.Q)
	}
	y := out(0)
	operations := []descriptor{b.convolution(p, x, w, y)}
	for i, e := range ends {
		pointwise := b.descriptor(C.CUDNN_BACKEND_POINTWISE_DESCRIPTOR, "describe an operation", func(d descriptor) {
			d.enum(C.CUDNN_ATTR_POINTWISE_MODE, C.CUDNN_TYPE_POINTWISE_MODE, e.mode)
			d.enum(C.CUDNN_ATTR_POINTWISE_MATH_PREC, C.CUDNN_TYPE_DATA_TYPE, C.CUDNN_DATA_FLOAT)
			if e.clip > 0 {
				d.double(C.CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, e.clip)
			}
		})
		var with descriptor
		switch e.with {
		case idB:
			with = b.tensor(idB, kind, p.Layout, 1, p.K, 1, 1)
		case idZ:
			with = image(idZ, p.K, p.P, p.Q)
		}
		before := y
		y = out(i + 1)
		operations = append(operations, b.descriptor(C.CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "describe an operation", func(d descriptor) {
			d.others(C.CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise)
			d.others(C.CUDNN_ATTR_OPERATION_POINTWISE_XDESC, before)
			if e.with != 0 {
				d.others(C.CUDNN_ATTR_OPERATION_POINTWISE_BDESC, with)
			}
			d.others(C.CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y)
		}))
	}
	return b.descriptor(C.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "describe "+p.String(), func(d descriptor) {
		d.others(C.CUDNN_ATTR_OPERATIONGRAPH_OPS, operations...)
		d.handle(C.CUDNN_ATTR_OPERATIONGRAPH_HANDLE, h.handle)
	})
}

// operation is one behind the convolution: with another tensor, or a clip, or neither.
type operation struct {
	mode C.int
	with int // the other tensor's id
	clip float64
}

func (p Problem) epilogue() (ends []operation) {
	if p.Bias {
		ends = append(ends, operation{mode: C.CUDNN_POINTWISE_ADD, with: idB})
	}
	if p.Add {
		ends = append(ends, operation{mode: C.CUDNN_POINTWISE_ADD, with: idZ})
	}
	switch p.Act {
	case engine.ReLU:
		ends = append(ends, operation{mode: C.CUDNN_POINTWISE_RELU_FWD})
	case engine.ReLU6:
		ends = append(ends, operation{mode: C.CUDNN_POINTWISE_RELU_FWD, clip: 6})
	case engine.Sigmoid:
		ends = append(ends, operation{mode: C.CUDNN_POINTWISE_SIGMOID_FWD})
	case engine.SiLU:
		ends = append(ends, operation{mode: C.CUDNN_POINTWISE_SWISH_FWD})
	}
	return ends
}

// tensor describes n images of c channels, or n filters. Where it lies decides
// the strides; the sizes are always in the order N, C, H, W.
func (b *builder) tensor(id int, kind C.int, layout Layout, n, c, h, w int) descriptor {
	strides := []int{c * h * w, 1, w * c, c}
	if layout == NCHW {
		strides = []int{c * h * w, h * w, w, 1}
	}
	return b.descriptor(C.CUDNN_BACKEND_TENSOR_DESCRIPTOR, "describe a tensor", func(d descriptor) {
		d.enum(C.CUDNN_ATTR_TENSOR_DATA_TYPE, C.CUDNN_TYPE_DATA_TYPE, kind)
		d.ints(C.CUDNN_ATTR_TENSOR_DIMENSIONS, n, c, h, w)
		d.ints(C.CUDNN_ATTR_TENSOR_STRIDES, strides...)
		d.ints(C.CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
		d.ints(C.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16)
		d.truth(C.CUDNN_ATTR_TENSOR_IS_VIRTUAL, id >= virtual)
	})
}

// convolution describes the problem's direction between images and filter.
func (b *builder) convolution(p Problem, x, w, y descriptor) descriptor {
	after := p.padAfter()
	conv := b.descriptor(C.CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, "describe a convolution", func(d descriptor) {
		d.ints(C.CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2)
		d.enum(C.CUDNN_ATTR_CONVOLUTION_COMP_TYPE, C.CUDNN_TYPE_DATA_TYPE, C.CUDNN_DATA_FLOAT)
		d.enum(C.CUDNN_ATTR_CONVOLUTION_CONV_MODE, C.CUDNN_TYPE_CONVOLUTION_MODE, C.CUDNN_CROSS_CORRELATION)
		d.ints(C.CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, p.Pad[:]...)
		d.ints(C.CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, after[:]...)
		d.ints(C.CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, p.Stride[:]...)
		d.ints(C.CUDNN_ATTR_CONVOLUTION_DILATIONS, p.Dilation[:]...)
	})
	a := attributes[p.Direction]
	return b.descriptor(a.operation, "describe "+p.Direction.String(), func(d descriptor) {
		d.others(a.conv, conv)
		d.others(a.x, x)
		d.others(a.w, w)
		d.others(a.y, y)
		d.float(a.alpha, 1)
		d.float(a.beta, 0)
	})
}

// attributes are what the operation of each direction calls the same things.
var attributes = [...]struct{ operation, conv, x, w, y, alpha, beta C.int }{
	Forward: {C.CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, C.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, C.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, C.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, C.CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
	BackwardData: {C.CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
	BackwardFilter: {C.CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
		C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, C.CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
}

// openGraph readies a choice that findGraph made.
func (h *Handle) openGraph(p Problem, choice Choice) (*graph, error) {
	b := &builder{Library: h.library}
	g := &graph{builder: b, on: h, problem: p}
	engines := b.engines(b.operations(h, p))
	if b.err == nil && choice.Rank >= len(engines) {
		b.err = errors.New("cuDNN has fewer engines than when the choice was found: find it again")
	}
	if b.err == nil {
		if number, _ := b.engine(engines[choice.Rank]); b.err == nil && number != choice.Algorithm {
			b.err = fmt.Errorf("cuDNN's engine %d stands where the choice had %d: find it again", number, choice.Algorithm)
		}
	}
	if b.err == nil {
		g.plan, _ = b.plan(h, engines[choice.Rank])
	}
	if b.err != nil {
		b.close()
		return nil, b.err
	}
	return g, nil
}

func (g *graph) run(o Operands) error {
	if g.handed == nil || o != g.operands {
		if err := g.hand(o); err != nil {
			return err
		}
	}
	return g.status(C.cudnn_backend_execute(&g.api, g.on.handle, g.plan.at, g.pack.at), "run "+g.problem.String())
}

// hand says where the operands are.
func (g *graph) hand(o Operands) error {
	c := o.c()
	ids, at := []int{idX, idW, idY}, []C.address{c.x, c.w, c.y}
	if g.problem.Add {
		ids, at = append(ids, idZ), append(at, c.z)
	}
	if g.problem.Bias {
		ids, at = append(ids, idB), append(at, c.b)
	}
	b := &builder{Library: g.Library}
	pack := b.descriptor(C.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "hand over the operands", func(d descriptor) {
		d.ints(C.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids...)
		d.addresses(C.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, at...)
		d.addresses(C.CUDNN_ATTR_VARIANT_PACK_WORKSPACE, c.workspace)
	})
	if b.err != nil {
		b.close()
		return b.err
	}
	if g.handed != nil {
		g.handed.close()
	}
	g.operands, g.handed, g.pack = o, b, pack
	return nil
}

func (g *graph) close() {
	if g.handed != nil {
		g.handed.close()
	}
	g.builder.close()
}
