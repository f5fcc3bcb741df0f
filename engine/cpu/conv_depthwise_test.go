package cpu

import (
	"testing"

	"mdp/engine"
)

// TestStreamedDepthwise holds what is written past the caches to what is not.
func TestStreamedDepthwise(t *testing.T) {
	c := geometry(3, 19, 33, 48, 48, 3, 3, same(2), same(1), same(1), 48)
	in, out := c.N*c.H*c.W*c.C, c.N*c.P*c.Q*c.K
	const x, w, y, dy, mean, invStd, gamma, beta, runMean, runVar, dGamma, dBeta = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
	forward := engine.ConvBatchNorm{
		ConvForward: engine.ConvForward{Conv: c, Y: y, X: x, W: w},
		Norm:        engine.BatchNormForward{Rows: out / c.K, C: c.K, X: y, Gamma: gamma, Beta: beta, RunMean: runMean, RunVar: runVar, Mean: mean, InvStd: invStd, Eps: 1e-5, Momentum: .1},
	}
	backward := engine.ConvBackwardBatchNorm{
		ConvBackwardData: engine.ConvBackwardData{Conv: c, DX: y, DY: dy, W: w, Accumulate: true},
		Norm: engine.BatchNormBackward{Rows: in / c.C, C: c.C, DX: y, DY: y, X: x, Gamma: gamma, Beta: beta, Mean: mean, InvStd: invStd,
			DGamma: dGamma, DBeta: dBeta, Act: engine.ReLU6},
	}
	for _, isa := range all() {
		if convKernelsOf(isa.float32()).walkMoments == nil {
			continue
		}
		team := newTeam(2)
		defer team.close()
		var want [][]float32
		for _, stream := range []bool{false, true} {
			of := map[engine.Buffer][]float32{x: noise(in), w: noise(c.K * c.R * c.S), y: aligned(out), dy: noise(out)}
			for b := engine.Buffer(mean); b <= dBeta; b++ {
				of[b] = noise(c.C)
			}
			f := newConvBatchNorm(isa, forward, nil, of, aligned(momentsWorkspace(isa, forward, 2)), 2).(*convBatchNorm)
			f.conv.(*depthwiseMoments).stream = stream
			f.run(team)
			got := [][]float32{of[y], of[mean], of[invStd]}
			of[y] = noise(in)
			b := newDepthwiseBatchNorm(isa, backward, of, aligned(depthwiseBatchNormWorkspace(isa, backward, 2)), 2).(*depthwiseBatchNorm)
			for i := range b.conv.walks {
				b.conv.walks[i].stream = stream
			}
			b.run(team)
			got = append(got, of[y], of[dGamma], of[dBeta])
			for i := range want {
				requireSame(t, want[i], got[i])
			}
			want = got
		}
	}
}
