package cpu

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// TestWinogradError bounds what the transforms cost in accuracy: the conformance suite allows 1e-7.
func TestWinogradError(t *testing.T) {
	c := convCase{Conv: geometry(3, 14, 14, 256, 32, 3, 3, same(1), same(1), same(1), 1)}
	x, w, dy := noise(c.N*c.H*c.W*c.C), noise(c.K*9*c.C), noise(c.N*c.P*c.Q*c.K)
	var want [3][]float32
	want[0], want[1], want[2] = reference(c, x, dy, w, nil, nil, nil)
	for _, isa := range available(FP32) {
		y, dx, dw := aligned(len(dy)), aligned(len(x)), aligned(len(w))
		fwd, bwd, fil := engine.ConvForward{Conv: c.Conv}, engine.ConvBackwardData{Conv: c.Conv}, engine.ConvBackwardFilter{Conv: c.Conv}
		ws := func(call engine.Call) []float32 { return aligned(convWorkspace(isa, call, 1)) }
		team := newTeam(1)
		for _, o := range []op{
			newConvForward(isa, fwd, y, x, w, nil, nil, ws(fwd), 1, false),
			newConvBackwardData(isa, bwd, dx, dy, w, ws(bwd), 1),
			newConvBackwardFilter(isa, fil, nil, dw, dy, x, ws(fil), 1),
		} {
			require.Contains(t, []string{"*cpu.winograd", "*cpu.winogradGradient"}, fmt.Sprintf("%T", o))
			o.run(team)
		}
		team.close()
		for k, got := range [][]float32{y, dx, dw} {
			var off, all float64
			for i, v := range want[k] {
				off += (float64(got[i]) - float64(v)) * (float64(got[i]) - float64(v))
				all += float64(v) * float64(v)
			}
			require.True(t, off/all <= 3e-11, "%v: NMSE of %s is %.3g", isa, []string{"y", "dx", "dw"}[k], off/all)
			t.Logf("%v: NMSE of %s is %.3g", isa, []string{"y", "dx", "dw"}[k], off/all)
		}
	}
}
