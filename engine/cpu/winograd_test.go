package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// TestWinogradError bounds what the transforms cost in accuracy: the conformance suite allows 1e-7.
func TestWinogradError(t *testing.T) {
	c := convCase{Conv: geometry(2, 28, 28, 256, 16, 3, 3, same(1), same(1), same(1), 1)}
	x, w, y := noise(c.N*c.H*c.W*c.C), noise(c.K*9*c.C), aligned(c.N*c.P*c.Q*c.K)
	want, _, _ := reference(c, x, y, w, nil, nil, x)
	for _, isa := range available(FP32) {
		call := engine.ConvForward{Conv: c.Conv}
		o := newConvForward(isa, call, y, x, w, nil, nil, aligned(convWorkspace(isa, call, 1)), 1, false)
		require.IsType(t, &winograd{}, o)
		team := newTeam(1)
		o.run(team)
		team.close()
		var off, all float64
		for i, v := range want {
			off += (float64(y[i]) - float64(v)) * (float64(y[i]) - float64(v))
			all += float64(v) * float64(v)
		}
		require.True(t, off/all <= 1e-11, "%v: NMSE %.3g", isa, off/all)
		t.Logf("%v: NMSE %.3g", isa, off/all)
	}
}
