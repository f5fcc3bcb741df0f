package cpu

import (
	"fmt"

	"mdp/engine"
)

// An op is one call of a plan, compiled: its operands are slices of the plan's
// memory, and running it allocates nothing.
type op interface{ run(t *team) }

// Supports is nil for every call this package knows.
func (b *Backend) Supports(c engine.Call) error {
	switch c := c.(type) {
	case engine.BatchNormForward:
		if c.Act.Gates() {
			return nil
		}
	case engine.BatchNormAgain:
		if c.Act.Gates() {
			return nil
		}
	case engine.ConvBackwardBatchNorm:
		if b.supportsGradients(c) {
			return nil
		}
	case engine.ConvBatchNorm:
		if b.supportsMoments(c) && b.supportsNorm(c.Conv, c.XNorm) && c.Norm.Act.Gates() {
			return nil
		}
	case engine.BatchNormBackward:
		if c.Act.Gates() && (c.Y != engine.None || c.Act == engine.Identity || c.DZ == engine.None) {
			return nil
		}
	case engine.ConvForward:
		if b.supportsNorm(c.Conv, c.XNorm) {
			return nil
		}
	case engine.ConvBackwardFilter:
		if b.supportsNorm(c.Conv, c.XNorm) {
			return nil
		}
	case engine.ConvBackwardData, engine.BiasBackward,
		engine.BatchNormInfer, engine.Activate, engine.ActivateBackward, engine.Add,
		engine.Clamp, engine.ClampBackward, engine.Mul, engine.GateBackward,
		engine.Scale, engine.CopyChannels, engine.Softmax,
		engine.MaxPoolForward, engine.MaxPoolBackward, engine.AvgPoolForward, engine.AvgPoolBackward,
		engine.Record, engine.FilterTaylor, engine.Spin:
		return nil
	case engine.SoftmaxLoss:
		if c.Scale == engine.None { // half precision is not multiplied in here
			return nil
		}
	case engine.SGD:
		if c.Scale == engine.None {
			return nil
		}
	case engine.Importance:
		if c.Scale == engine.None {
			return nil
		}
	}
	switch c := c.(type) {
	case engine.MaskedConvForward:
		return supportsMask(c, c.Mask, c.Groups)
	case engine.MaskedConvBackwardData:
		return supportsMask(c, c.Mask, c.Groups)
	case engine.MaskedConvBackwardFilter:
		return supportsMask(c, c.Mask, c.Groups)
	case engine.MaskFilter:
		return supportsMask(c, c.Mask, 1)
	}
	return fmt.Errorf("cpu: %v: %w", c, engine.ErrUnsupported)
}

// Workspace is the scratch memory compile hands to the call's op.
func (b *Backend) Workspace(c engine.Call) int {
	switch c := c.(type) {
	case engine.ConvForward:
		if c.Depthwise() {
			return convWorkspace(b.isa, c, b.threads)
		}
		return partsWorkspace(b.isa, slicedParts(b.isa, c.Conv, newInputNorm(b.isa, c.Conv, c.XNorm, nil), b.slices, b.threads), b.threads)
	case engine.ConvBackwardData, engine.ConvBackwardFilter:
		return convWorkspace(b.isa, c, b.threads)
	case engine.MaskedConvForward, engine.MaskedConvBackwardData, engine.MaskedConvBackwardFilter:
		return b.maskWorkspace(c)
	case engine.BiasBackward:
		return 2 * fold(c.Rows, c.C).partials()
	case engine.ConvBatchNorm:
		return momentsWorkspace(b.isa, c, b.threads)
	case engine.BatchNormForward:
		return 2*fold(c.Rows, c.C).partials() + 3*fold(c.Rows, c.C).width
	case engine.BatchNormAgain:
		return 3 * fold(c.Rows, c.C).width
	case engine.BatchNormInfer:
		return 3 * fold(c.Rows, c.C).width
	case engine.Scale:
		return 3 * fold(c.Rows, c.C).width
	case engine.BatchNormBackward:
		return batchNormBackwardWorkspace(c)
	case engine.ConvBackwardBatchNorm:
		if c.Depthwise() {
			return depthwiseBatchNormWorkspace(b.isa, c, b.threads)
		}
		return gradientsWorkspace(b.isa, c, b.threads)
	case engine.MaxPoolBackward:
		return b.threads * c.C
	case engine.SoftmaxLoss:
		return c.N * 3
	}
	return 0
}

// compile turns a call into an op, once per plan. It looks operands up in
// memory; constant tells whether a filter never changes.
func (b *Backend) compile(c engine.Call, memory func(engine.Buffer) []float32, scratch []float32, constant func(engine.Buffer) bool) op {
	k := rowsFor(b.isa)
	of := map[engine.Buffer][]float32{}
	for _, o := range c.Operands() {
		of[o.Buffer] = memory(o.Buffer)[:o.Len]
	}
	switch c := c.(type) {
	case engine.ConvForward:
		norm := newInputNorm(b.isa, c.Conv, c.XNorm, of)
		return norm.before(ending(k, c.Act, newConvSlice(b.isa, c, norm, b.slices, of[c.Y], of[c.X], of[c.W], of[c.B], of[c.Z], scratch, b.threads, constant(c.W)), of[c.Y]))
	case engine.ConvBackwardData:
		return newConvBackwardData(b.isa, c, of[c.DX], of[c.DY], of[c.W], scratch, b.threads)
	case engine.ConvBackwardFilter:
		norm := newInputNorm(b.isa, c.Conv, c.XNorm, of)
		return norm.before(newConvBackwardFilter(b.isa, c, norm, of[c.DW], of[c.DY], of[c.X], scratch, b.threads))
	case engine.MaskedConvForward, engine.MaskedConvBackwardData, engine.MaskedConvBackwardFilter, engine.MaskFilter:
		return b.compileMasked(c, of, scratch)
	case engine.BiasBackward:
		return newBiasBackward(k, c, of[c.DB], of[c.DY], scratch)
	case engine.BatchNormForward:
		return newBatchNormForward(k, c, of, scratch)
	case engine.ConvBatchNorm:
		return newConvBatchNorm(b.isa, c, newInputNorm(b.isa, c.Conv, c.XNorm, of), of, scratch, b.threads)
	case engine.BatchNormAgain:
		return newBatchNormAgain(k, c, of, scratch)
	case engine.BatchNormInfer:
		return ending(k, c.Act, newBatchNormInfer(k, c, of, scratch), of[c.Y])
	case engine.BatchNormBackward:
		return newBatchNormBackward(k, c, of, &scratch)
	case engine.ConvBackwardBatchNorm:
		if c.Depthwise() {
			return newDepthwiseBatchNorm(b.isa, c, of, scratch, b.threads)
		}
		return newConvBackwardBatchNorm(b.isa, c, of, scratch, b.threads)
	case engine.Activate:
		return newActivate(k, c, of[c.Y], of[c.X])
	case engine.ActivateBackward:
		return newActivateBackward(k, c, of[c.DX], of[c.DY], of[c.Y], of[c.X])
	case engine.Add:
		return ending(k, c.Act, newAdd(k, c, of[c.Y], of[c.A], of[c.B]), of[c.Y])
	case engine.Clamp:
		return newClamp(k, c, of[c.Y], of[c.X])
	case engine.ClampBackward:
		return &clampBackward{c, of[c.DX], of[c.DY], of[c.Y]}
	case engine.Mul:
		return newMul(k, c, of[c.Y], of[c.A], of[c.B])
	case engine.GateBackward:
		return &gateBackward{c, of[c.DB], of[c.DY], of[c.A]}
	case engine.Scale:
		return newScale(k, c, of[c.Y], of[c.X], of[c.Gamma], of[c.Beta], scratch)
	case engine.CopyChannels:
		return newCopyChannels(k, c, of[c.Y], of[c.X])
	case engine.Softmax:
		return &softmax{c, of[c.Y], of[c.X]}
	case engine.MaxPoolForward:
		return &maxPoolForward{c.Pool, k.larger, of[c.Y], of[c.X]}
	case engine.MaxPoolBackward:
		return &maxPoolBackward{c.Pool, k.send, of[c.DX], of[c.DY], of[c.Y], of[c.X], scratch, c.Accumulate}
	case engine.AvgPoolForward:
		return &avgPoolForward{c.Pool, k.add, of[c.Y], of[c.X], c.CountPad}
	case engine.AvgPoolBackward:
		return &avgPoolBackward{c.Pool, of[c.DX], of[c.DY], c.CountPad, c.Accumulate}
	case engine.SoftmaxLoss:
		return &softmaxLoss{c.N, c.C, of[c.Metrics], of[c.DX], of[c.X], of[c.Labels], scratch, c.Smoothing}
	case engine.Spin:
		return &spin{c}
	case engine.Record:
		return &record{of[c.History], of[c.Metrics]}
	case engine.SGD:
		return newSGD(k, c, of[c.P], of[c.V], of[c.DP], of[c.Hyper])
	case engine.FilterTaylor:
		return &filterTaylor{of[c.Signed], of[c.W], of[c.DW]}
	case engine.Importance:
		return newImportance(c, of)
	}
	panic(fmt.Sprintf("cpu: %v was supported but has no kernel", c))
}
