package engine

import "fmt"

// Half precision ends at 2⁻²⁴, above many a gradient. A training in it multiplies the
// loss by a scale, and with that every gradient, and the optimiser divides again. The
// scale is as large as the gradients allow: it is halved when one is not finite, and
// that step left out; after many good steps in a row it is doubled (dynamic loss
// scaling, arXiv 1710.03740). All of it is decided on the device.

// scalesLoss says that gradients are rounded to half precision.
func (i Info) scalesLoss() bool { return i.Precision == "fp16" }

const (
	firstScale  = 1 << 16
	mostScale   = 1 << 24
	growthSteps = 2000
)

// LossScale looks at the gradients of a loss that was multiplied by scale and says what
// becomes of them. With state = {scale, good, unscale, skipped}:
//
//	if dp[i] is finite for all i < Len:
//	  unscale = 1/scale;  good += 1;  if good = Growth: good = 0, scale = min(2·scale, 2²⁴)
//	else:
//	  unscale = 0;  good = 0;  scale = max(scale/2, 1);  skipped += 1
//
// Others multiply by unscale, and leave out their work where it is 0.
type LossScale struct {
	Len, Growth int
	State, DP   Buffer
}

// scaleLen is the elements of LossScale's state.
const scaleLen = 4

func (c LossScale) Operands() []Operand {
	return operands{}.inout("state", c.State, scaleLen, true).in("dp", c.DP, c.Len)
}

func (c LossScale) String() string { return fmt.Sprintf("loss_scale/%d_growth%d", c.Len, c.Growth) }

// lossScale lists the look at the gradients, once all are there.
func (l *lowering) lossScale() {
	if l.scale != None {
		l.call(LossScale{Len: l.sgd.Len, Growth: growthSteps, State: l.scale, DP: l.sgd.DP})
	}
}

// Scaling is how far a training's loss scale has come; all zero where the loss is not
// scaled.
type Scaling struct {
	Scale   float32 `json:"scale"`   // of the next step
	Good    int     `json:"good"`    // steps since it changed
	Skipped int     `json:"skipped"` // steps in all whose gradients were not finite
}

// Scaling of the loss, after what was begun.
func (p *Program) Scaling() (Scaling, error) {
	if p.scale == None {
		return Scaling{}, nil
	}
	var state [scaleLen]float32
	err := p.exec.Read(state[:], p.scale)
	return Scaling{Scale: state[0], Good: int(state[1]), Skipped: int(state[3])}, err
}

// SetScaling restores what Scaling returned.
func (p *Program) SetScaling(s Scaling) error {
	if (p.scale == None) != (s.Scale == 0) {
		return fmt.Errorf("a loss scale of %g: graph %q was compiled for another precision", s.Scale, p.graph.Name())
	}
	if p.scale == None {
		return nil
	}
	return p.exec.Write(p.scale, []float32{s.Scale, float32(s.Good), 0, float32(s.Skipped)})
}
