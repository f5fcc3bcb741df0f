package cuda

import (
	"mdp/engine"
	"mdp/engine/cuda/driver"
)

// The parameter structs of kernels/*.cu, each under its kernel's name. int is
// int32, index_t is int64, and an array of the device is a driver.Pointer.
type (
	pointer = driver.Pointer

	spinParams     struct{ Cycles int64 }
	activateParams struct {
		Y, X pointer
		Len  int64
		Act  int32
	}
	activateBackwardParams struct {
		DX, DY, Of      pointer
		Len             int64
		Act, Accumulate int32
	}
	addParams struct {
		Y, A, B pointer
		Len     int64
		Act     int32
	}
	clampParams struct {
		Y, X                   pointer
		Len                    int64
		Alpha, Beta, Low, High float32
	}
	clampBackwardParams struct {
		DX, DY, Y        pointer
		Len              int64
		Alpha, Low, High float32
		Accumulate       int32
	}
	mulParams struct {
		Y, A, B       pointer
		Len, Image    int64
		C, Accumulate int32
	}
	gateBackwardParams struct {
		DB, DY, A     pointer
		At            columns
		N, Accumulate int32
	}
	scaleParams struct {
		Y, X, Gamma, Beta pointer
		Len               int64
		C                 int32
	}
	copyChannelsParams struct {
		Y, X                            pointer
		Len                             int64
		C, YC, YAt, XC, XAt, Accumulate int32
	}
	softmaxParams struct {
		Y, X    pointer
		Rows, C int32
	}
	sgdParams struct {
		P, V, DP, Hyper, Scale pointer
		Len, Decayed           int64
		Nesterov               int32
	}
	notFiniteParams struct {
		Partial, DP pointer
		Len         int64
	}
	lossScaleParams struct {
		State, Partial pointer
		Parts, Growth  int32
	}
	narrowParams struct {
		Y, X pointer
		Len  int64
	}
	padChannelsParams struct {
		Y, X pointer
		Rows int64
		C, D int32
	}
	zeroParams struct {
		Y   pointer
		Len int64
	}
	recordParams struct {
		History, Metrics pointer
		Steps            int32
	}

	sumPartialsParams struct {
		Y, Partial pointer
		At         columns
		Kept, Of   int32
	}
	biasBackwardParams struct {
		Partial, DY pointer
		At          columns
	}
	batchNormMomentsParams struct {
		Partial, X pointer
		At         columns
	}
	runsParams struct {
		Partial   pointer
		At        columns
		Rows, Run int32
	}
	batchNormMergeParams struct {
		Partial pointer
		Of      runsParams
	}
	batchNormStatisticsParams struct {
		Mean, InvStd, RunMean, RunVar pointer
		Of                            runsParams
		Eps, Momentum                 float32
	}
	batchNormApplyParams struct {
		Y, X, Z, Gamma, Beta, Mean, InvStd pointer
		At                                 columns
		Act                                int32
	}
	batchNormInferParams struct {
		Y, X, Z, Gamma, Beta, RunMean, RunVar pointer
		At                                    columns
		Eps                                   float32
		Act                                   int32
	}
	batchNormSumsParams struct {
		Partial, DY, Y, X, Gamma, Beta, Mean, InvStd pointer
		At                                           columns
		Act                                          int32
	}
	batchNormGradientsParams struct {
		DGamma, DBeta, Signed, Partial, Gamma, Beta, InvStd pointer
		At                                                  columns
	}
	batchNormInputParams struct {
		DX, DZ, DY, Y, X, Gamma, Beta, Mean, InvStd, DGamma, DBeta pointer
		At                                                         columns
		Act, AccumulateZ                                           int32
	}

	filterTaylorParams struct {
		Signed, W, DW pointer
		Len           int32
	}
	importanceParams struct {
		Score, Signed [maxMembers]pointer
		Scale         pointer
		C, Members    int32
	}
	softmaxLossParams struct {
		Rows, DX, X, Labels, Scale pointer
		N, C                       int32
		Smoothing                  float32
	}
	lossMetricsParams struct {
		Metrics, Rows pointer
		N             int32
	}

	maxPoolForwardParams struct {
		Y, X pointer
		G    poolParams
	}
	maxPoolBackwardParams struct {
		DX, DY, Y, X      pointer
		G                 poolParams
		Accumulate        int32
		Rows, Lanes, Each int32
	}
	avgPoolForwardParams struct {
		Y, X     pointer
		G        poolParams
		CountPad int32
	}
	avgPoolBackwardParams struct {
		DX, DY               pointer
		G                    poolParams
		CountPad, Accumulate int32
	}

	convForwardParams struct { // and depthwise_forward
		Y, X, W, B, Z pointer
		G             convParams
		Act           int32
	}
	convMomentsParams struct {
		O       convForwardParams
		Partial pointer
	}
	convBackwardDataParams struct { // and depthwise_backward_data
		DX, DY, W  pointer
		G          convParams
		Accumulate int32
	}
	convBackwardFilterParams struct {
		DW, DY, X    pointer
		G            convParams
		Parts, Chunk int32
		Atomics      int32
	}
	depthwiseBackwardFilterParams struct {
		DW, DY, X pointer
		G         convParams
		At        columns
	}

	maskParams struct {
		List  pointer
		Chunk int32
	}
	maskFilterParams struct {
		W        pointer
		In, Out  maskParams
		K, RS, C int32
	}
	loadImagesParams struct {
		Y, Pixels, Moves, Mean, Scale pointer
		N, H, W, C                    int32
	}
	maskedConvForwardParams struct {
		O       convForwardParams
		In, Out maskParams
		Leave   int32
	}
	maskedConvBackwardDataParams struct {
		O       convBackwardDataParams
		In, Out maskParams
	}
	maskedConvBackwardFilterParams struct {
		O       convBackwardFilterParams
		In, Out maskParams
	}

	poolParams struct {
		N, H, W, C, R, S, P, Q int32
		Stride, Pad            [2]int32
	}
	convParams struct {
		N, H, W, C, K, R, S, P, Q int32
		Stride, Pad, Dilation     [2]int32
		Groups                    int32
	}
)

func poolOf(g engine.Pool) poolParams {
	return poolParams{int32(g.N), int32(g.H), int32(g.W), int32(g.C), int32(g.R), int32(g.S), int32(g.P), int32(g.Q), pair(g.Stride), pair(g.Pad)}
}

func convOf(g engine.Conv) convParams {
	return convParams{int32(g.N), int32(g.H), int32(g.W), int32(g.C), int32(g.K), int32(g.R), int32(g.S), int32(g.P), int32(g.Q),
		pair(g.Stride), pair(g.Pad), pair(g.Dilation), int32(g.Groups)}
}

func pair(v [2]int) [2]int32 { return [2]int32{int32(v[0]), int32(v[1])} }

func boolean(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
