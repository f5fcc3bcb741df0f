package engine

import "fmt"

// The calls of squeeze-excitation, of concatenation, and of what imported
// networks are made of besides.

// Clamp is y[i] = min(max(Alpha·x[i] + Beta, Low), High): a hard sigmoid or a clip.
type Clamp struct {
	Len                    int
	Y, X                   Buffer
	Alpha, Beta, Low, High float32
}

// ClampBackward is dx[i] (+)= Alpha·dy[i] where Low < y[i] < High, and 0 elsewhere.
type ClampBackward struct {
	Len              int
	DX, DY, Y        Buffer
	Alpha, Low, High float32
	Accumulate       bool
}

// Mul gates each of the N·Pixels rows of a by its image's row of b:
//
//	for n, i < Pixels, c: y[n,i,c] (+)= a[n,i,c]·b[n,c]
//
// With Pixels = 1 it multiplies element by element.
type Mul struct {
	N, Pixels, C int
	Y, A, B      Buffer
	Accumulate   bool
}

// GateBackward is the gradient of Mul with respect to b; that with respect to a
// is a Mul of dy and b.
//
//	for n, c: db[n,c] (+)= Σ over i < Pixels of dy[n,i,c]·a[n,i,c]
type GateBackward struct {
	N, Pixels, C int
	DB, DY, A    Buffer
	Accumulate   bool
}

// Scale is y[i,c] = γ[c]·x[i,c] + β[c] for i < Rows. Its gradients are a Mul and
// a GateBackward of one image and a BiasBackward.
type Scale struct {
	Rows, C           int
	Y, X, Gamma, Beta Buffer
}

// CopyChannels copies a run of channels from rows of XC channels to rows of YC:
//
//	for i < Rows, c < C: y[i, YAt+c] (+)= x[i, XAt+c]
//
// The rest of y stays as it is. A concatenation is one for each of its inputs.
type CopyChannels struct {
	Rows, C    int
	YC, YAt    int
	XC, XAt    int
	Y, X       Buffer
	Accumulate bool
}

// Softmax is y[i,c] = e^x[i,c] / Σ over k of e^x[i,k] for i < Rows.
type Softmax struct {
	Rows, C int
	Y, X    Buffer
}

func (c Clamp) Operands() []Operand {
	return operands{}.out("y", c.Y, c.Len).in("x", c.X, c.Len).activations("y", "x")
}

func (c ClampBackward) Operands() []Operand {
	return operands{}.inout("dx", c.DX, c.Len, c.Accumulate).in("dy", c.DY, c.Len).in("y", c.Y, c.Len).activations("dx", "dy", "y")
}

func (c Mul) Operands() []Operand {
	n := c.N * c.Pixels * c.C
	return operands{}.inout("y", c.Y, n, c.Accumulate).in("a", c.A, n).in("b", c.B, c.N*c.C).activations("y", "a", "b")
}

func (c GateBackward) Operands() []Operand {
	n := c.N * c.Pixels * c.C
	return operands{}.inout("db", c.DB, c.N*c.C, c.Accumulate).in("dy", c.DY, n).in("a", c.A, n).activations("db", "dy", "a")
}

func (c Scale) Operands() []Operand {
	n := c.Rows * c.C
	return operands{}.out("y", c.Y, n).in("x", c.X, n).in("gamma", c.Gamma, c.C).in("beta", c.Beta, c.C).activations("y", "x")
}

func (c CopyChannels) Operands() []Operand {
	part := c.C < c.YC
	return operands{}.inout("y", c.Y, c.Rows*c.YC, c.Accumulate || part).in("x", c.X, c.Rows*c.XC).activations("y", "x")
}

func (c Softmax) Operands() []Operand {
	n := c.Rows * c.C
	return operands{}.out("y", c.Y, n).in("x", c.X, n).activations("y", "x")
}

func (c Clamp) String() string {
	return fmt.Sprintf("clamp_%gx+%g_in_%g..%g/%d", c.Alpha, c.Beta, c.Low, c.High, c.Len)
}
func (c ClampBackward) String() string {
	return fmt.Sprintf("clamp_backward_%gx_in_%g..%g%s/%d", c.Alpha, c.Low, c.High, plus(c.Accumulate), c.Len)
}
func (c Mul) String() string {
	return fmt.Sprintf("mul%s/%dx%dx%d", plus(c.Accumulate), c.N, c.Pixels, c.C)
}
func (c GateBackward) String() string {
	return fmt.Sprintf("gate_backward%s/%dx%dx%d", plus(c.Accumulate), c.N, c.Pixels, c.C)
}
func (c Scale) String() string { return fmt.Sprintf("scale/%dx%d", c.Rows, c.C) }
func (c CopyChannels) String() string {
	return fmt.Sprintf("copy_channels%s/%dx%d_from%dat%d_to%dat%d", plus(c.Accumulate), c.Rows, c.C, c.XC, c.XAt, c.YC, c.YAt)
}
func (c Softmax) String() string { return fmt.Sprintf("softmax/%dx%d", c.Rows, c.C) }
