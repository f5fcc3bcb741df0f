//go:build cuda

// Package cudnn runs convolutions by NVIDIA's cuDNN 9, to compare with and for
// tables of a deployment that uses it. The library is no part of this program:
// Open finds it when the program runs (search.go), builds need neither it nor its
// headers (abi.h). In builds with the tag cuda.
//
//	library, err := cudnn.Open()
//	h, err := library.NewHandle(stream)
//	choice, err := h.Find(problem, operands, stopwatch)  // once; kept with the table
//	conv, err := h.Conv(problem, choice)
//	err = conv.Run(operands)                             // any number of times
//
// cuDNN works on the calling thread's CUDA context: every method of a Handle or
// Conv needs the caller to have made it current and to keep its goroutine on that
// thread.
package cudnn

import (
	"fmt"

	"mdp/engine"
	"mdp/engine/cuda/driver"
)

// Direction is which of a convolution's three products is computed.
type Direction int

// The directions.
const (
	Forward        Direction = iota // y from x and w
	BackwardData                    // dx from dy and w
	BackwardFilter                  // dw from x and dy
)

func (d Direction) String() string {
	return [...]string{"forward", "backward data", "backward filter"}[d]
}

// Layout is how images and filters lie in memory.
type Layout int

// The layouts.
const (
	NHWC Layout = iota // filters KRSC
	NCHW               // filters KCRS
)

func (l Layout) String() string { return [...]string{"NHWC", "NCHW"}[l] }

// Precision is the type in memory and how products are made. Sums are float32.
type Precision string

// The precisions.
const (
	FP32 Precision = "fp32" // float32 throughout: never a tensor core
	TF32 Precision = "tf32" // float32 in memory, TF32 products allowed
	BF16 Precision = "bf16"
	FP16 Precision = "fp16"
)

// Problem is a convolution as a network runs it. Bias, Add and Act are of the
// forward direction:
//
//	y = act(conv(x, w) + b[k] + z)
type Problem struct {
	engine.Conv
	Direction Direction
	Layout    Layout
	Precision Precision
	Bias, Add bool
	Act       engine.Act
}

func (p Problem) String() string {
	s := p.Direction.String()
	if p.Bias {
		s += "+bias"
	}
	if p.Add {
		s += "+add"
	}
	return fmt.Sprintf("%s%v %v %s %v", s, p.Act, p.Layout, p.Precision, p.Conv)
}

// check reports a problem that is none.
func (p Problem) check() error {
	fused := p.Bias || p.Add || p.Act != engine.Identity
	switch {
	case p.Direction < Forward || p.Direction > BackwardFilter || p.Layout < NHWC || p.Layout > NCHW:
		return fmt.Errorf("direction %d or layout %d is none", p.Direction, p.Layout)
	case p.Direction != Forward && fused:
		return fmt.Errorf("%v: bias, addend and activation are of the forward direction", p)
	}
	switch p.Precision {
	case FP32, TF32, BF16, FP16:
	default:
		return fmt.Errorf("precision %q is none of %s, %s, %s, %s", p.Precision, FP32, TF32, BF16, FP16)
	}
	if p.Groups < 1 || p.C%p.Groups != 0 || p.K%p.Groups != 0 {
		return fmt.Errorf("%v: %d groups of %d and %d channels", p, p.Groups, p.C, p.K)
	}
	return nil
}

// padAfter is the padding below and right, which P and Q tell.
func (p Problem) padAfter() (after [2]int) {
	in, out, filter := [2]int{p.H, p.W}, [2]int{p.P, p.Q}, [2]int{p.R, p.S}
	for i := range after {
		after[i] = max(0, (out[i]-1)*p.Stride[i]+(filter[i]-1)*p.Dilation[i]+1-in[i]-p.Pad[i])
	}
	return after
}

// symmetric says that padding as much after as before gives the same output.
func (p Problem) symmetric() bool {
	size := func(in, filter, i int) int { return (in+2*p.Pad[i]-(filter-1)*p.Dilation[i]-1)/p.Stride[i] + 1 }
	return size(p.H, p.R, 0) == p.P && size(p.W, p.S, 1) == p.Q
}

// classic says that one call of the classic functions computes the problem: they
// pad symmetrically, and fuse only a bias, with an addend or not, and at most a ReLU.
func (p Problem) classic() bool {
	plain := !p.Bias && !p.Add && p.Act == engine.Identity
	return p.symmetric() && (plain || p.Bias && p.Act <= engine.ReLU)
}

// Operands are device addresses: images and filters of the problem's layout and
// type. Backward, Y is dy, and X or W is where the result goes.
type Operands struct {
	X, W, Y, Z, B  driver.Pointer
	Workspace      driver.Pointer
	WorkspaceBytes int64 // what there is; no choice that needs more is taken
}

// Choice is how cuDNN computes a problem best on one device: what Find found.
type Choice struct {
	Version        string `json:"version"`   // of cuDNN, whose numbers the next are
	Graph          bool   `json:"graph"`     // by the graph API, not a classic function
	Algorithm      int    `json:"algorithm"` // of the classic functions; the engine of a graph
	Rank           int    `json:"rank"`      // of a graph's engine in the heuristics' list
	Math           int    `json:"math"`      // cudnnMathType_t of a classic function
	WorkspaceBytes int64  `json:"workspaceBytes"`
	LatencyNS      int64  `json:"latencyNS"` // as found: to choose by, not for a table
}
