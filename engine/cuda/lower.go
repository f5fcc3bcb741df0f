package cuda

import (
	"fmt"
	"unsafe"

	"mdp/engine"
	"mdp/engine/cuda/driver"
)

// lowering is one call on its way to launches.
type lowering struct {
	device     driver.Device
	gemm       string // what the names of kernels that multiply end with
	in         string // what those of kernels that read activations do
	variant    Variant
	warpgroups bool // the device has them
	atomics    bool
	at         func(engine.Buffer) pointer
	scratch    pointer
	launches   []driver.Launch
	err        error // the first kernel that was not found
}

// suffix of the kernels of gemm.cuh for each precision.
var suffix = map[Precision]string{Float32: "", TF32: "_tf32", BFloat16: "_bf16", Float16: "_fp16"}

// store is for calls whose activations are narrow.
func (l *lowering) store(p Precision, s engine.Storage) error {
	if !p.multiplies(s) {
		return fmt.Errorf("activations in %v do not go with products in %s", s, p)
	}
	l.in = "_in_" + s.String()
	l.gemm = l.in
	return nil
}

// narrow says that activations have 16 bits.
func (l *lowering) narrow() bool { return l.in != "" }

// launch adds a kernel of 256 threads a block.
func launch[P any](l *lowering, name string, g grid, params P) {
	launchOf(l, name, blockThreads, g, params)
}

func launchOf[P any](l *lowering, name string, threads int, g grid, params P) {
	k, err := l.device.Kernel(name)
	if err != nil && l.err == nil {
		l.err = err
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&params)), unsafe.Sizeof(params))
	l.launches = append(l.launches, driver.Launch{Kernel: k, Grid: g, Threads: threads, Params: bytes})
}

// lower turns a call into launches, once per plan.
func (l *lowering) lower(c engine.Call) {
	switch c := c.(type) {
	case engine.ConvForward:
		l.convForward(c)
	case engine.ConvBackwardData:
		l.convBackwardData(c)
	case engine.ConvBackwardFilter:
		l.convBackwardFilter(c)
	case engine.MaskedConvForward:
		launchGemm(l, "masked_conv_forward", forwardProduct(l.padded(c.Conv)).masked(), maskedConvForwardParams{l.paddedForward(c.ConvForward), l.mask(c.Mask, c.In), l.mask(c.Mask, c.Out), boolean(c.Leave)})
	case engine.MaskedConvBackwardData:
		launchGemm(l, "masked_conv_backward_data", dataProduct(c.Conv).masked(), maskedConvBackwardDataParams{l.dataParams(c.ConvBackwardData), l.mask(c.Mask, c.In), l.mask(c.Mask, c.Out)})
	case engine.MaskedConvBackwardFilter:
		l.filterGradient(c.ConvBackwardFilter, func(p product, o convBackwardFilterParams) {
			launchGemm(l, "masked_conv_backward_filter", p.masked(), maskedConvBackwardFilterParams{o, l.mask(c.Mask, c.In), l.mask(c.Mask, c.Out)})
		})
	case engine.MaskFilter:
		launch(l, "mask_filter", flat(c.K*c.RS*c.C), maskFilterParams{l.at(c.Filter), l.mask(c.Mask, c.In), l.mask(c.Mask, c.Out), int32(c.K), int32(c.RS), int32(c.C)})
	case engine.LoadImages:
		launch(l, "load_images"+l.in, packs(c.N*c.H*c.W*c.C), loadImagesParams{l.at(c.Y), l.at(c.Pixels), l.at(c.Moves), l.at(c.Mean), l.at(c.Scale), int32(c.N), int32(c.H), int32(c.W), int32(c.C)})
	case engine.BiasBackward:
		at := sumsOf(c.Rows, c.C)
		launch(l, "bias_backward"+l.in, at.grid(), biasBackwardParams{l.scratch, l.at(c.DY), at})
		l.sumPartials(l.at(c.DB), c.C, at.chunks())
	case engine.BatchNormForward:
		l.batchNormForward(c)
	case engine.ConvBatchNorm:
		l.convBatchNorm(c)
	case engine.BatchNormAgain:
		l.batchNormAgain(c)
	case engine.BatchNormInfer:
		at := mapOf(c.Rows, c.C)
		launch(l, "batch_norm_infer"+l.in, at.grid(), batchNormInferParams{l.at(c.Y), l.at(c.X), l.at(c.Z),
			l.at(c.Gamma), l.at(c.Beta), l.at(c.RunMean), l.at(c.RunVar), at, c.Eps, int32(c.Act)})
	case engine.BatchNormBackward:
		l.batchNormBackward(c)
	case engine.Activate:
		launch(l, "activate"+l.in, packs(c.Len), activateParams{l.at(c.Y), l.at(c.X), int64(c.Len), int32(c.Act)})
	case engine.ActivateBackward:
		of := c.Y
		if c.Act.FromInput() {
			of = c.X
		}
		launch(l, "activate_backward"+l.in, packs(c.Len), activateBackwardParams{l.at(c.DX), l.at(c.DY), l.at(of), int64(c.Len), int32(c.Act), boolean(c.Accumulate)})
	case engine.Add:
		launch(l, "add"+l.in, packs(c.Len), addParams{l.at(c.Y), l.at(c.A), l.at(c.B), int64(c.Len), int32(c.Act)})
	case engine.Clamp:
		launch(l, "clamp"+l.in, packs(c.Len), clampParams{l.at(c.Y), l.at(c.X), int64(c.Len), c.Alpha, c.Beta, c.Low, c.High})
	case engine.ClampBackward:
		launch(l, "clamp_backward"+l.in, packs(c.Len), clampBackwardParams{l.at(c.DX), l.at(c.DY), l.at(c.Y), int64(c.Len), c.Alpha, c.Low, c.High, boolean(c.Accumulate)})
	case engine.Mul:
		l.mul(c)
	case engine.GateBackward:
		l.gateBackward(c)
	case engine.Scale:
		launch(l, "scale"+l.in, packs(c.Rows*c.C), scaleParams{l.at(c.Y), l.at(c.X), l.at(c.Gamma), l.at(c.Beta), int64(c.Rows * c.C), int32(c.C)})
	case engine.CopyChannels:
		launch(l, "copy_channels"+l.in, packs(c.Rows*c.C), copyChannelsParams{l.at(c.Y), l.at(c.X), int64(c.Rows * c.C),
			int32(c.C), int32(c.YC), int32(c.YAt), int32(c.XC), int32(c.XAt), boolean(c.Accumulate)})
	case engine.Softmax:
		const rows = 4 // of a block, a warp each
		launchOf(l, "softmax"+l.in, 32*rows, grid{int32(ceilDiv(c.Rows, rows)), 1, 1}, softmaxParams{l.at(c.Y), l.at(c.X), int32(c.Rows), int32(c.C)})
	case engine.MaxPoolForward:
		launch(l, "max_pool_forward"+l.in, packs(c.N*c.P*c.Q*c.C), maxPoolForwardParams{l.at(c.Y), l.at(c.X), poolOf(c.Pool)})
	case engine.MaxPoolBackward:
		l.maxPoolBackward(c)
	case engine.AvgPoolForward:
		launch(l, "avg_pool_forward"+l.in, packs(c.N*c.P*c.Q*c.C), avgPoolForwardParams{l.at(c.Y), l.at(c.X), poolOf(c.Pool), boolean(c.CountPad)})
	case engine.AvgPoolBackward:
		launch(l, "avg_pool_backward"+l.in, packs(c.N*c.H*c.W*c.C), avgPoolBackwardParams{l.at(c.DX), l.at(c.DY), poolOf(c.Pool), boolean(c.CountPad), boolean(c.Accumulate)})
	case engine.SoftmaxLoss:
		const rows, metrics = 4, 3 // of a block, a warp each
		launchOf(l, "softmax_loss"+l.in, 32*rows, grid{int32(ceilDiv(c.N, rows)), 1, 1},
			softmaxLossParams{l.scratch, l.at(c.DX), l.at(c.X), l.at(c.Labels), l.at(c.Scale), int32(c.N), int32(c.C), c.Smoothing})
		launchOf(l, "loss_metrics", 32*metrics, grid{1, 1, 1}, lossMetricsParams{l.at(c.Metrics), l.scratch, int32(c.N)})
	case engine.Record:
		launchOf(l, "record", 32, grid{1, 1, 1}, recordParams{l.at(c.History), l.at(c.Metrics), int32(c.Steps)})
	case engine.SGD:
		launch(l, "sgd", packs(c.Len), sgdParams{l.at(c.P), l.at(c.V), l.at(c.DP), l.at(c.Hyper), l.at(c.Scale), int64(c.Len), int64(c.Decayed), boolean(c.Nesterov)})
	case engine.LossScale:
		g := lossScaleGrid(c)
		launch(l, "not_finite", g, notFiniteParams{l.scratch, l.at(c.DP), int64(c.Len)})
		launchOf(l, "loss_scale", 32, grid{1, 1, 1}, lossScaleParams{l.at(c.State), l.scratch, g[0], int32(c.Growth)})
	case engine.FilterTaylor:
		launch(l, "filter_taylor", grid{int32(c.K), 1, 1}, filterTaylorParams{l.at(c.Signed), l.at(c.W), l.at(c.DW), int32(c.Len)})
	case engine.Spin:
		launchOf(l, "spin", 32, grid{1, 1, 1}, spinParams{c.Cycles})
	case engine.Importance:
		p := importanceParams{Scale: l.at(c.Scale), C: int32(c.C), Members: int32(len(c.Score))}
		for i := range c.Score {
			p.Score[i], p.Signed[i] = l.at(c.Score[i]), l.at(c.Signed[i])
		}
		launch(l, "importance", flat(c.C), p)
	default:
		panic(fmt.Sprintf("cuda: %v was supported but has no kernel", c))
	}
}

// sumPartials adds up what lies in the scratch memory: all of it, or what is kept of every
// so many.
func (l *lowering) sumPartials(y pointer, n, parts int) { l.sumSome(y, n, parts, 1, 1) }

func (l *lowering) sumSome(y pointer, n, parts, kept, of int) {
	at := partsOf(parts, n)
	launch(l, "sum_partials", at.grid(), sumPartialsParams{y, l.scratch, at, int32(kept), int32(of)})
}

func (l *lowering) mul(c engine.Mul) {
	n := c.N * c.Pixels * c.C
	launch(l, "mul"+l.in, packs(n), mulParams{l.at(c.Y), l.at(c.A), l.at(c.B), int64(n), int64(c.Pixels * c.C), int32(c.C), boolean(c.Accumulate)})
}

// gateBackward has nothing to sum where a gate has one pixel.
func (l *lowering) gateBackward(c engine.GateBackward) {
	if c.Pixels == 1 {
		l.mul(engine.Mul{N: c.N, Pixels: 1, C: c.C, Y: c.DB, A: c.DY, B: c.A, Accumulate: c.Accumulate})
		return
	}
	at := whole(columnsOf(c.Pixels, c.C, 1, 32, sumBlocks))
	g := at.grid()
	g[2] = int32(min(c.N, maxGrid))
	launch(l, "gate_backward"+l.in, g, gateBackwardParams{l.at(c.DB), l.at(c.DY), l.at(c.A), at, int32(c.N), boolean(c.Accumulate)})
}
