package cuda

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mdp/engine"
)

// Sizes choose a kernel, and a GPU without warpgroups has the others.
func TestChoose(t *testing.T) {
	one := [2]int{1, 1}
	conv := func(n, size, c, k, r int) engine.Conv {
		return engine.Conv{N: n, H: size, W: size, C: c, K: k, R: r, S: r, P: size, Q: size, Stride: one, Pad: [2]int{r / 2, r / 2}, Dilation: one, Groups: 1}
	}
	for _, c := range []struct {
		conv               engine.Conv
		variant            Variant
		narrow, warpgroups bool
		want               string
	}{
		{conv(256, 14, 256, 256, 3), Chosen, true, true, "_warpgroup"},
		{conv(256, 14, 256, 1024, 1), Chosen, true, true, "_warpgroup_half_1x1"}, // short sums
		{conv(256, 14, 1024, 256, 1), Chosen, true, true, "_warpgroup_1x1"},
		{conv(256, 14, 256, 256, 3), Chosen, true, false, "_large"},
		{conv(256, 14, 256, 256, 3), Chosen, false, true, "_large"},
		{conv(256, 14, 256, 256, 3), Small, true, true, "_small"},
		{conv(256, 14, 256, 256, 3), Warpgroup, true, false, "_large"},
		{conv(256, 14, 256, 252, 3), Chosen, true, true, "_large"}, // no eights of output
		{conv(256, 56, 64, 64, 3), Chosen, true, true, "_warpgroup_narrow"},
		{conv(256, 56, 64, 64, 3), Chosen, true, false, "_small"}, // half of a tile
		{conv(8, 14, 256, 256, 3), Chosen, true, true, "_small"},  // too few tiles
		{conv(64, 14, 256, 256, 3), Chosen, true, false, "_large"},
		{conv(256, 14, 256, 256, 1), WarpgroupGeneral, true, true, "_warpgroup"},
	} {
		assert.Equal(t, c.want, forwardProduct(c.conv).choose(c.variant, c.narrow, c.warpgroups).suffix, "%v %q", c.conv, c.variant)
	}
}
