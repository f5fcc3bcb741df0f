package bench

import (
	"fmt"

	"mdp/engine"
)

// WithChannels is call c with in channels read and out channels written: a
// configuration that pruning can reach. Its buffers only say which operands are
// present; its String is the configuration's key in a Table. What of in and out
// a call uses:
//
//	ConvForward                       C = in, K = out; groups stay as many
//	ConvForward in groups, C = K      C = K = in = out; groups stay as wide
//	pools, BatchNormInfer, Mul, Scale C = in = out
//	Softmax                           C = in = out
//	Activate, Add, Clamp              Len = in·out: in is the rows, N·H·W
//	CopyChannels                      C = XC = in, YC = out, to about the same place
//
// It panics for any other call and for channels the call cannot have.
func WithChannels(c engine.Call, in, out int) engine.Call {
	if in < 1 || out < 1 {
		panic(fmt.Sprintf("bench: %v with %d and %d channels; want 1 or more", c, in, out))
	}
	same := func() int {
		if in != out {
			panic(fmt.Sprintf("bench: %v with %d channels read and %d written; it writes what it reads", c, in, out))
		}
		return out
	}
	switch d := c.(type) {
	case engine.ConvForward:
		each := d.Groups // what channels come in multiples of
		if d.Groups > 1 && d.C == d.K {
			each = d.C / d.Groups
			d.Groups = same() / each
		}
		if in%each != 0 || out%each != 0 {
			panic(fmt.Sprintf("bench: %v with %d and %d channels; want multiples of %d", c, in, out, each))
		}
		d.C, d.K = in, out
		c = d
	case engine.MaxPoolForward:
		d.C = same()
		c = d
	case engine.AvgPoolForward:
		d.C = same()
		c = d
	case engine.BatchNormInfer:
		d.C = same()
		c = d
	case engine.Mul:
		d.C = same()
		c = d
	case engine.Scale:
		d.C = same()
		c = d
	case engine.Softmax:
		d.C = same()
		c = d
	case engine.CopyChannels:
		if in > out {
			panic(fmt.Sprintf("bench: %v of %d channels among %d", c, in, out))
		}
		d.C, d.XC, d.XAt, d.YC, d.YAt = in, in, 0, out, min(d.YAt*out/d.YC, out-in)
		c = d
	case engine.Clamp:
		d.Len = in * out
		c = d
	case engine.Activate:
		d.Len = in * out
		c = d
	case engine.Add:
		d.Len = in * out
		c = d
	default:
		panic(fmt.Sprintf("bench: %v has no channels to choose", c))
	}
	next := engine.None
	c, _ = rebind(c, func(engine.Buffer) engine.Buffer { next++; return next })
	return c
}

// rebind replaces every present buffer of an inference call by what to returns
// for it, in the order of Operands; false says that c is of another kind.
func rebind(c engine.Call, to func(engine.Buffer) engine.Buffer) (engine.Call, bool) {
	each := func(buffers ...*engine.Buffer) {
		for _, b := range buffers {
			if *b != engine.None {
				*b = to(*b)
			}
		}
	}
	switch d := c.(type) {
	case engine.ConvForward:
		each(&d.Y, &d.X, &d.W, &d.B, &d.Z)
		return d, true
	case engine.BatchNormInfer:
		each(&d.Y, &d.X, &d.Z, &d.Gamma, &d.Beta, &d.RunMean, &d.RunVar)
		return d, true
	case engine.Mul:
		each(&d.Y, &d.A, &d.B)
		return d, true
	case engine.Scale:
		each(&d.Y, &d.X, &d.Gamma, &d.Beta)
		return d, true
	case engine.Softmax:
		each(&d.Y, &d.X)
		return d, true
	case engine.CopyChannels:
		each(&d.Y, &d.X)
		return d, true
	case engine.Clamp:
		each(&d.Y, &d.X)
		return d, true
	case engine.Activate:
		each(&d.Y, &d.X)
		return d, true
	case engine.Add:
		each(&d.Y, &d.A, &d.B)
		return d, true
	case engine.MaxPoolForward:
		each(&d.Y, &d.X)
		return d, true
	case engine.AvgPoolForward:
		each(&d.Y, &d.X)
		return d, true
	case engine.SoftmaxLoss:
		each(&d.Metrics, &d.DX, &d.X, &d.Labels)
		return d, true
	}
	return c, false
}

// channels that a call reads and writes; of one that knows no channels, its elements.
func channels(c engine.Call) (in, out int) {
	switch d := c.(type) {
	case engine.ConvForward:
		return d.C, d.K
	case engine.MaxPoolForward:
		return d.C, d.C
	case engine.AvgPoolForward:
		return d.C, d.C
	case engine.BatchNormInfer:
		return d.C, d.C
	case engine.Mul:
		return d.C, d.C
	case engine.Scale:
		return d.C, d.C
	case engine.Softmax:
		return d.C, d.C
	case engine.CopyChannels:
		return d.C, d.YC
	}
	return size(c), size(c)
}
