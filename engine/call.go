package engine

import "fmt"

// A Call is one kernel launch: an operation, its sizes and the buffers it works
// on. A compiled program is a list of them, and that list is all a backend
// sees. Each call's doc comment is the loop that every backend must compute;
// images are NHWC, filters KRSC, everything float32, though activations may lie in
// memory as less (Storage). A buffer left at None is absent, and so is its term in
// the loop.
type Call interface {
	// Operands lists every buffer of the call, absent ones left out.
	Operands() []Operand
	// String names the operation and its sizes; it is a test case's name.
	String() string
}

// Buffer is an index into Plan.Spans.
type Buffer int32

// None is the absent buffer.
const None Buffer = 0

// Operand is one buffer of a call: how much of it there is and what happens to it.
type Operand struct {
	Name   string
	Buffer Buffer
	Len    int // elements
	Read   bool
	Write  bool

	Activation bool // or its gradient: in whatever storage the plan has them
}

// Act is the activation at the end of an operation.
type Act uint8

// The activations. Derivatives are taken from the output y where it tells them:
// ReLU passes where y > 0, ReLU6 where 0 < y < 6, and Sigmoid's is y·(1−y). The
// swishes fall and rise, so theirs need the input x: with s = 1/(1+e^−x), SiLU's
// is s·(1 + x·(1−s)), and HardSwish's is x/3 + 1/2 where −3 < x < 3, 0 below and
// 1 above. Training therefore fuses only the first two.
const (
	Identity  Act = iota
	ReLU          // max(x, 0)
	ReLU6         // min(max(x, 0), 6)
	Sigmoid       // 1/(1+e^−x)
	HardSwish     // x·min(max(x+3, 0), 6)/6
	SiLU          // x/(1+e^−x)
)

func (a Act) String() string {
	return [...]string{"", "+relu", "+relu6", "+sigmoid", "+hard_swish", "+silu"}[a]
}

// Gates says that the activation passes its gradient or stops it, as the output
// tells: what BatchNormForward and BatchNormBackward can end with.
func (a Act) Gates() bool { return a <= ReLU6 }

// FromInput says that the derivative needs the input.
func (a Act) FromInput() bool { return a == HardSwish || a == SiLU }

// Conv is a convolution's geometry. Pad is what lies above and left; P and Q,
// the output's height and width, say what lies below and right.
type Conv struct {
	N, H, W, C int
	K, R, S    int
	P, Q       int
	Stride     [2]int
	Pad        [2]int
	Dilation   [2]int
	Groups     int
}

// Depthwise says that every channel is convolved by itself.
func (g Conv) Depthwise() bool { return g.Groups == g.C && g.K == g.C && g.C > 1 }

// MACs is the number of multiply-accumulates.
func (g Conv) MACs() int64 {
	return int64(g.N) * int64(g.P) * int64(g.Q) * int64(g.K) * int64(g.filter()/g.K)
}

// ConvOf is the geometry of a convolution in any direction, masked or not.
func ConvOf(c Call) (Conv, bool) {
	if of, ok := c.(interface{ geometry() Conv }); ok {
		return of.geometry(), true
	}
	return Conv{}, false
}

func (g Conv) geometry() Conv { return g }

func (g Conv) in() int     { return g.N * g.H * g.W * g.C }
func (g Conv) out() int    { return g.N * g.P * g.Q * g.K }
func (g Conv) filter() int { return g.K * g.R * g.S * (g.C / g.Groups) }

func (g Conv) String() string {
	return fmt.Sprintf("n%d_%dx%dx%d_k%dx%dx%d_s%dx%d_p%dx%d_d%dx%d_g%d_o%dx%d",
		g.N, g.H, g.W, g.C, g.K, g.R, g.S, g.Stride[0], g.Stride[1], g.Pad[0], g.Pad[1], g.Dilation[0], g.Dilation[1], g.Groups, g.P, g.Q)
}

// InputNorm is a batch norm between memory and what reads it. Where there is a Mean,
// x[…,c] in the reader's loop stands for
//
//	act(γ[c]·(x[…,c]−mean[c])·invstd[c] + β[c])
//
// which is BatchNormForward's y, never written. Act gates. Padding is zero still.
type InputNorm struct {
	Gamma, Beta, Mean, InvStd Buffer
	Act                       Act
}

// ConvForward convolves. With Cg = C/Groups, Kg = K/Groups and g = k/Kg:
//
//	for n, p, q, k:
//	  y[n,p,q,k] = act(b[k] + z[n,p,q,k] +
//	    Σ over r, s, c < Cg of x[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, g·Cg+c] · w[k,r,s,c])
//
// with x zero outside the image. A linear layer is the case H = W = R = S = 1.
type ConvForward struct {
	Conv
	Y, X, W, B, Z Buffer
	XNorm         InputNorm
	Act           Act
}

// ConvBackwardData is the convolution's gradient with respect to its input:
//
//	for n, h, w, c:
//	  dx[n,h,w,c] (+)= Σ over (r, s, p, q, k) that read x[n,h,w,c] of dy[n,p,q,k] · w[k,r,s,c−g·Cg]
//
// (+)= adds when Accumulate is set and overwrites when not.
type ConvBackwardData struct {
	Conv
	DX, DY, W  Buffer
	Accumulate bool
}

// ConvBackwardFilter is the convolution's gradient with respect to its filter:
//
//	for k, r, s, c < Cg:
//	  dw[k,r,s,c] = Σ over n, p, q of dy[n,p,q,k] · x[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, g·Cg+c]
type ConvBackwardFilter struct {
	Conv
	DW, DY, X Buffer
	XNorm     InputNorm
}

// BiasBackward sums over rows: db[c] = Σ over i < Rows of dy[i,c].
type BiasBackward struct {
	Rows, C int
	DB, DY  Buffer
}

// BatchNormForward normalises with the batch's own statistics (training):
//
//	for c:
//	  mean[c] = Σ_i x[i,c] / Rows,  var = Σ_i (x[i,c]−mean[c])² / Rows,  invstd[c] = 1/√(var+Eps)
//	  runmean[c] = (1−Momentum)·runmean[c] + Momentum·mean[c]
//	  runvar[c]  = (1−Momentum)·runvar[c]  + Momentum·var·Rows/(Rows−1)
//	  for i < Rows: y[i,c] = act(γ[c]·(x[i,c]−mean[c])·invstd[c] + β[c] + z[i,c])
//
// With Rows = 1 the running variance takes var itself. Without Y the statistics are all
// there is to compute.
type BatchNormForward struct {
	Rows, C                       int
	Y, X, Z, Gamma, Beta          Buffer
	RunMean, RunVar, Mean, InvStd Buffer
	Eps, Momentum                 float32
	Act                           Act
}

// BatchNormAgain is BatchNormForward's y of the statistics it left, bit for bit:
//
//	y[i,c] = act(γ[c]·(x[i,c]−mean[c])·invstd[c] + β[c] + z[i,c])
//
// Act gates.
type BatchNormAgain struct {
	Rows, C                            int
	Y, X, Z, Gamma, Beta, Mean, InvStd Buffer
	Act                                Act
}

// BatchNormInfer normalises with the running statistics:
//
//	y[i,c] = act(γ[c]·(x[i,c]−runmean[c])/√(runvar[c]+Eps) + β[c] + z[i,c])
type BatchNormInfer struct {
	Rows, C              int
	Y, X, Z, Gamma, Beta Buffer
	RunMean, RunVar      Buffer
	Eps                  float32
	Act                  Act
}

// BatchNormBackward is the gradient of BatchNormForward. With
// g[i,c] = dy[i,c]·act'(y[i,c]) and x̂ = (x−mean)·invstd:
//
//	for c:
//	  dβ[c] = Σ_i g[i,c],  dγ[c] = Σ_i g[i,c]·x̂[i,c]
//	  signed[c] = γ[c]·dγ[c] + β[c]·dβ[c]
//	  for i: dx[i,c] = γ[c]·invstd[c]·(g[i,c] − dβ[c]/Rows − x̂[i,c]·dγ[c]/Rows)
//	         dz[i,c] (+)= g[i,c]
//
// Act gates. Without Y it is computed again, act(γ·(x−mean)·invstd + β): nothing was
// added in the forward direction, and there is no dz. DX may be DY. signed is the
// first-order Taylor term of channel c (arXiv 2406.12079): it falls out of the
// reduction at no extra pass. (+)= as AccumulateZ says. Identity reads no Y.
type BatchNormBackward struct {
	Rows, C                   int
	DX, DZ, DGamma, DBeta     Buffer
	Signed                    Buffer
	DY, Y, X                  Buffer
	Gamma, Beta, Mean, InvStd Buffer
	Act                       Act
	AccumulateZ               bool
}

// again says that the call computes y itself.
func (c BatchNormBackward) again() bool { return c.Act != Identity && c.Y == None }

// Activate is y[i] = act(x[i]).
type Activate struct {
	Len  int
	Y, X Buffer
	Act  Act
}

// ActivateBackward is dx[i] (+)= dy[i]·act'. The derivative comes from the output
// y or, FromInput, from the input x; the other one is not read. With Identity
// it copies or adds dy, and reads neither.
type ActivateBackward struct {
	Len          int
	DX, DY, Y, X Buffer
	Act          Act
	Accumulate   bool
}

// Add is y[i] = act(a[i] + b[i]).
type Add struct {
	Len     int
	Y, A, B Buffer
	Act     Act
}

// Pool is a pooling window's geometry; see Conv.
type Pool struct {
	N, H, W, C int
	R, S       int
	P, Q       int
	Stride     [2]int
	Pad        [2]int
}

func (g Pool) in() int  { return g.N * g.H * g.W * g.C }
func (g Pool) out() int { return g.N * g.P * g.Q * g.C }

func (g Pool) String() string {
	return fmt.Sprintf("n%d_%dx%dx%d_%dx%d_s%dx%d_p%dx%d_o%dx%d", g.N, g.H, g.W, g.C, g.R, g.S, g.Stride[0], g.Stride[1], g.Pad[0], g.Pad[1], g.P, g.Q)
}

// MaxPoolForward is y[n,p,q,c] = max over r, s inside the image of x[n, p·stride₀+r−pad₀, q·stride₁+s−pad₁, c].
type MaxPoolForward struct {
	Pool
	Y, X Buffer
}

// MaxPoolBackward sends each dy[n,p,q,c] to the first x, in order of r then s, that
// equals y[n,p,q,c]; dx is the sum of what arrives, added when Accumulate is set.
type MaxPoolBackward struct {
	Pool
	DX, DY, Y, X Buffer
	Accumulate   bool
}

// AvgPoolForward is y[n,p,q,c] = Σ over r, s inside the image of x[…] / count, where
// count is R·S with CountPad and the number of pixels inside the image without.
type AvgPoolForward struct {
	Pool
	Y, X     Buffer
	CountPad bool
}

// AvgPoolBackward is dx[n,h,w,c] (+)= Σ over windows (p, q) that read it of dy[n,p,q,c] / count.
type AvgPoolBackward struct {
	Pool
	DX, DY     Buffer
	CountPad   bool
	Accumulate bool
}

// SoftmaxLoss is the cross-entropy of softmax(x) against smoothed labels and its
// gradient. A label is a class's index, exact in float32; one outside 0..C−1 marks
// a row that fills up the batch and counts for nothing. With s = Smoothing:
//
//	for n with label 0 ≤ l < C, π = softmax(x[n,:]), target t[c] = s/C + (1−s)·(c = l):
//	  metrics[0] += −Σ_c t[c]·log π[c]
//	  metrics[1] += 1 if x[n,l] is the largest logit (ties: the lower index wins)
//	  metrics[2] += 1 if x[n,l] is among the five largest
//	  dx[n,c] = scale·(π[c] − t[c]) / N
//
// metrics starts from zero at every call; DX is None in evaluation. Scale is a
// LossScale's state, or None for a scale of 1.
type SoftmaxLoss struct {
	N, C                          int
	Metrics, DX, X, Labels, Scale Buffer
	Smoothing                     float32
}

// Record keeps what came of the last Steps runs, so that the host need not look at
// each. With s = history[3·Steps]:
//
//	history[3s : 3s+3] = metrics[:];  history[3·Steps] = (s+1) mod Steps
type Record struct {
	Steps            int
	History, Metrics Buffer
}

// SGD is stochastic gradient descent with momentum as PyTorch defines it, over a
// run of parameters of which weight decay touches the first. hyper holds the learning rate, the momentum and the weight
// decay, in a buffer so that a captured step need not be captured again:
//
//	lr, m, wd = hyper[0], hyper[1], hyper[2]    (wd = 0 from i = Decayed on)
//	for i < Len: g = unscale·dp[i] + wd·p[i];  v[i] = m·v[i] + g;  p[i] −= lr·(g + m·v[i])  if Nesterov, else lr·v[i]
//
// and nothing where unscale = 0. Scale is a LossScale's state, or None for 1.
type SGD struct {
	Len, Decayed           int
	P, V, DP, Hyper, Scale Buffer
	Nesterov               bool
}

// FilterTaylor is the Taylor term of a layer without batch norm:
// signed[k] = Σ over i < Len of w[k,i]·dw[k,i].
type FilterTaylor struct {
	K, Len        int
	Signed, W, DW Buffer
}

// Importance adds one batch's Taylor scores of a coupled group to its members'
// totals. The members' signed terms are summed inside the absolute value, and
// the group's score is shared by size (arXiv 2406.12079):
//
//	for c:
//	  t = Σ_l signed_l[c],  a = Σ_l |signed_l[c]|
//	  for l: score_l[c] += unscale·|t|·|signed_l[c]|/a      (nothing where a = 0)
//
// and nothing where unscale = 0. Scale is a LossScale's state, or None for 1.
type Importance struct {
	C             int
	Score, Signed []Buffer
	Scale         Buffer
}

func (c ConvForward) String() string {
	return "conv_forward" + c.XNorm.String() + c.Act.String() + flag(c.B, "+bias") + flag(c.Z, "+add") + "/" + c.Conv.String()
}
func (c ConvBackwardData) String() string {
	return "conv_backward_data" + plus(c.Accumulate) + "/" + c.Conv.String()
}
func (c ConvBackwardFilter) String() string {
	return "conv_backward_filter" + c.XNorm.String() + "/" + c.Conv.String()
}
func (n InputNorm) String() string    { return when(n.Mean != None, "_of_norm"+n.Act.String()) }
func (c BiasBackward) String() string { return fmt.Sprintf("bias_backward/%dx%d", c.Rows, c.C) }
func (c BatchNormForward) String() string {
	return fmt.Sprintf("batch_norm_forward%v%s%s/%dx%d", c.Act, flag(c.Z, "+add"), when(c.Y == None, "+statistics"), c.Rows, c.C)
}
func (c BatchNormAgain) String() string {
	return fmt.Sprintf("batch_norm_again%v%s/%dx%d", c.Act, flag(c.Z, "+add"), c.Rows, c.C)
}
func (c BatchNormInfer) String() string {
	return fmt.Sprintf("batch_norm_infer%v%s/%dx%d", c.Act, flag(c.Z, "+add"), c.Rows, c.C)
}
func (c BatchNormBackward) String() string {
	return fmt.Sprintf("batch_norm_backward%s/%dx%d", c.how(), c.Rows, c.C)
}

func (c BatchNormBackward) how() string {
	return c.Act.String() + flag(c.DZ, "+add") + plus(c.AccumulateZ) + flag(c.Signed, "+taylor") + when(c.again(), "+again") + when(c.DX == c.DY, "+inplace")
}
func (c Activate) String() string { return fmt.Sprintf("activate%v/%d", c.Act, c.Len) }
func (c ActivateBackward) String() string {
	return fmt.Sprintf("activate_backward%v%s/%d", c.Act, plus(c.Accumulate), c.Len)
}
func (c Add) String() string            { return fmt.Sprintf("add%v/%d", c.Act, c.Len) }
func (c MaxPoolForward) String() string { return "max_pool_forward/" + c.Pool.String() }
func (c MaxPoolBackward) String() string {
	return "max_pool_backward" + plus(c.Accumulate) + "/" + c.Pool.String()
}
func (c AvgPoolForward) String() string {
	return "avg_pool_forward" + when(c.CountPad, "+countpad") + "/" + c.Pool.String()
}
func (c AvgPoolBackward) String() string {
	return "avg_pool_backward" + when(c.CountPad, "+countpad") + plus(c.Accumulate) + "/" + c.Pool.String()
}
func (c SoftmaxLoss) String() string {
	return fmt.Sprintf("softmax_loss%s%s/%dx%d_smooth%g", flag(c.DX, "+grad"), flag(c.Scale, "+scaled"), c.N, c.C, c.Smoothing)
}
func (c Record) String() string { return fmt.Sprintf("record/%d", c.Steps) }
func (c SGD) String() string {
	return fmt.Sprintf("sgd%s%s/%d_decay%d", when(c.Nesterov, "+nesterov"), flag(c.Scale, "+scaled"), c.Len, c.Decayed)
}
func (c FilterTaylor) String() string { return fmt.Sprintf("filter_taylor/%dx%d", c.K, c.Len) }
func (c Importance) String() string {
	return fmt.Sprintf("importance%s/%dx%d", flag(c.Scale, "+scaled"), len(c.Score), c.C)
}

func when(on bool, s string) string {
	if on {
		return s
	}
	return ""
}

func flag(b Buffer, s string) string { return when(b != None, s) }
func plus(accumulate bool) string    { return when(accumulate, "+accumulate") }
