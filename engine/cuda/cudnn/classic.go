//go:build cuda

package cudnn

/*
#include <stdlib.h>
#include "calls.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"mdp/engine"
)

// classic is a problem by the classic functions, ready to run.
type classic struct {
	*Handle
	direction Direction
	algorithm C.int
	d         C.cudnn_conv
}

func dataType(p Precision) C.int {
	switch p {
	case BF16:
		return C.CUDNN_DATA_BFLOAT16
	case FP16:
		return C.CUDNN_DATA_HALF
	}
	return C.CUDNN_DATA_FLOAT
}

// mathType is what the library is asked for. Its default lets float32 use TF32.
func mathType(p Precision) C.int {
	switch p {
	case FP32:
		return C.CUDNN_FMA_MATH
	case TF32:
		return C.CUDNN_DEFAULT_MATH
	}
	return C.CUDNN_TENSOR_OP_MATH
}

// describe makes the descriptors of a problem.
func (h *Handle) describe(p Problem, math C.int) (*classic, error) {
	format := map[Layout]C.int{NHWC: C.CUDNN_TENSOR_NHWC, NCHW: C.CUDNN_TENSOR_NCHW}[p.Layout]
	activation := C.int(-1)
	switch {
	case p.Act == engine.ReLU:
		activation = C.CUDNN_ACTIVATION_RELU
	case p.Bias:
		activation = C.CUDNN_ACTIVATION_IDENTITY
	}
	pair := func(v [2]int) [2]C.int { return [2]C.int{C.int(v[0]), C.int(v[1])} }
	g := C.cudnn_geometry{
		format: format, _type: dataType(p.Precision),
		n: C.int(p.N), c: C.int(p.C), h: C.int(p.H), w: C.int(p.W),
		k: C.int(p.K), cg: C.int(p.C / p.Groups), r: C.int(p.R), s: C.int(p.S), p: C.int(p.P), q: C.int(p.Q),
		pad: pair(p.Pad), stride: pair(p.Stride), dilation: pair(p.Dilation), groups: C.int(p.Groups),
		math: math, activation: activation,
	}
	c := &classic{Handle: h, direction: p.Direction}
	if err := h.library.status(C.cudnn_conv_describe(&h.library.api, &g, &c.d), "describe "+p.String()); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// findClassic lists the algorithms that compute the problem in the workspace,
// fastest first, as cuDNN times them without what is fused. y is overwritten.
func (h *Handle) findClassic(p Problem, o Operands) ([]Choice, error) {
	c, err := h.describe(p, mathType(p.Precision))
	if err != nil {
		return nil, err
	}
	defer c.close()
	const most = 32
	perf := (*[most]C.cudnn_perf)(C.calloc(most, C.sizeof_cudnn_perf))
	defer C.free(unsafe.Pointer(perf))
	var found C.int
	operands := o.c()
	s := C.cudnn_find(&h.library.api, h.handle, C.int(p.Direction), &c.d, &operands, most, &found, &perf[0])
	if err := h.library.status(s, "find an algorithm for "+p.String()); err != nil {
		return nil, err
	}
	var choices []Choice
	for _, r := range perf[:min(found, most)] {
		choice := Choice{Version: h.library.Version(), Algorithm: int(r.algo), Math: int(r.mathType), WorkspaceBytes: int64(r.memory), LatencyNS: int64(float64(r.time) * 1e6)}
		tensorCore := choice.Math != C.CUDNN_DEFAULT_MATH && choice.Math != C.CUDNN_FMA_MATH
		if p.Precision == FP32 {
			choice.Math = C.CUDNN_FMA_MATH // it may answer with the default, which would allow TF32
		}
		switch {
		case r.status != C.CUDNN_STATUS_SUCCESS, choice.WorkspaceBytes > o.WorkspaceBytes, p.Precision == FP32 && tensorCore:
		case p.Bias && p.Act == engine.Identity && choice.Algorithm != C.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM:
			// the only one that fuses a bias without an activation
		default:
			choices = append(choices, choice)
		}
	}
	return choices, nil
}

// openClassic readies a choice that findClassic made.
func (h *Handle) openClassic(p Problem, choice Choice) (*classic, error) {
	c, err := h.describe(p, C.int(choice.Math))
	if err != nil {
		return nil, err
	}
	c.algorithm = C.int(choice.Algorithm)
	return c, nil
}

func (c *classic) run(o Operands) error {
	operands := o.c()
	s := C.cudnn_run(&c.library.api, c.handle, C.int(c.direction), c.algorithm, &c.d, &operands)
	if s == C.CUDNN_STATUS_SUCCESS {
		return nil
	}
	return c.library.status(s, fmt.Sprintf("%v by algorithm %d", c.direction, c.algorithm))
}

func (c *classic) close() { C.cudnn_conv_free(&c.library.api, &c.d) }
