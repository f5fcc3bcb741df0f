//go:build cuda

package cuda

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/atonce"
	"mdp/engine/cuda/driver/interpreted"
)

// TestInterpretedFindsBroken breaks what nvcc made of a kernel, in the ways that an inline
// instruction can be wrong, and holds that it then computes something else than
// small integers are, or stops.
func TestInterpretedFindsBroken(t *testing.T) {
	inBF16 := Options{Precision: BFloat16, Storage: engine.BFloat16}
	warpgroup, half, small, tf32 := inBF16, inBF16, inBF16, Options{Precision: TF32, Variant: Large}
	warpgroup.Variant, half.Variant, small.Variant = Warpgroup, WarpgroupHalf, Small
	for _, c := range []struct {
		name, kernel string
		options      Options
		old, new     string // what is replaced everywhere, as a regular expression
		says         string // empty: other numbers
	}{
		{"a's rows", "conv_forward_in_bf16_small", small, `(mma\.sync\S+ \{[^}]*\}, \{)(%r\d+), (%r\d+),`, "$1$3, $2,", ""},
		{"a's columns", "conv_forward_in_bf16_small", small, `(mma\.sync\S+ \{[^}]*\}, \{)(%r\d+), (%r\d+), (%r\d+), (%r\d+)`, "$1$4, $5, $2, $3", ""},
		{"b's rows", "conv_forward_tf32_large", tf32, `(mma\.sync\S+ \{[^}]*\}, \{[^}]*\}, \{)(%r\d+), (%r\d+)`, "$1$3, $2", ""},
		{"not rounded to tf32", "conv_forward_tf32_large", tf32, `cvt\.rna\.tf32\.f32 (%r\d+), (%f\d+)`, "mov.b32 $1, $2", "has bits that TF32 has not"},
		{"halves of a pair", "conv_forward_in_bf16_warpgroup", warpgroup, `(cvt\.rn\.bf16x2\.f32 %r\d+, )(%f\d+), (%f\d+)`, "$1$3, $2", ""},
		{"waits for one group too few", "conv_forward_in_bf16_small", small, `cp\.async\.wait_group 1`, "cp.async.wait_group 2", ""},
		{"copies where there is nothing", "conv_forward_in_bf16_small", small, `(cp\.async\.cg\S+ \[%r\d+\], \[%rd\d+\], 16, )%r\d+`, "${1}16", "not global memory"},
		{"no barrier", "conv_forward_in_bf16_small", small, `bar\.sync[ \t]+0;`, "", ""},
		{"words of a store", "conv_forward_in_bf16_warpgroup", warpgroup, `(st\.global\.v2\.b32 \[%rd\d+\], \{)(%r\d+), (%r\d+)`, "$1$3, $2", ""},

		{"no barrier in a sum", "bias_backward", Options{}, `bar\.sync 0;`, "", ""},

		{"a's layout", "conv_forward_in_bf16_warpgroup", warpgroup, `(wgmma\.mma_async[^;]*, )0, 0;`, "${1}1, 0;", ""},
		{"b's layout", "conv_forward_in_bf16_warpgroup", warpgroup, `(wgmma\.mma_async[^;]*, )0, 0;`, "${1}0, 1;", ""},
		{"not swizzled", "conv_forward_in_bf16_warpgroup", warpgroup, "4611686293338849280", "274911461376", "another layout"},
		{"another stride", "conv_forward_in_bf16_warpgroup", warpgroup, "4611686293338849280", "4611686155899895808", ""},
		{"no fence of copies", "conv_forward_in_bf16_warpgroup", warpgroup, `fence\.proxy\.async\.shared::cta;`, "", "has written and not fenced"},
		{"no fence of sums", "conv_forward_in_bf16_warpgroup", warpgroup, `wgmma\.fence\.sync\.aligned;`, "", "without wgmma.fence"},
		{"sums are not waited for", "conv_forward_in_bf16_warpgroup", warpgroup, `wgmma\.wait_group\.sync\.aligned 0;`, "wgmma.wait_group.sync.aligned 1;", "a product still writes"},
		{"operands are not waited for", "conv_forward_in_bf16_warpgroup_half", half, `cp\.async\.wait_group 1;`, "cp.async.wait_group 2;", ""},
		{"products are copied over", "conv_forward_in_bf16_warpgroup", warpgroup, `wgmma\.wait_group\.sync\.aligned 1;`, "wgmma.wait_group.sync.aligned 2;", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := interpreter(t, func(all map[string]string) {
				changed := 0
				for source, text := range all {
					from := strings.Index(text, ".visible .entry "+c.kernel+"(")
					if from < 0 {
						if strings.HasPrefix(source, "conv_") { // the others are not long to read
							delete(all, source)
						}
						continue
					}
					to := from + strings.Index(text[from:], "\n}\n")
					spaces := strings.ReplaceAll(text[from:to], "\t", " ")
					old := regexp.MustCompile(strings.ReplaceAll(c.old, " ", " +"))
					changed = len(old.FindAllString(spaces, -1))
					all[source] = text[:from] + old.ReplaceAllString(spaces, c.new) + text[to:]
				}
				require.NotZero(t, changed, "%s has nothing to break", c.kernel)
			})
			n := &noting{Device: d}
			var call engine.Call = engine.ConvForward{Conv: engine.Conv{N: 2, H: 5, W: 6, C: 40, K: 72, R: 3, S: 3, P: 5, Q: 6, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
				Y: 1, X: 2, W: 3, B: 4, Z: 5, Act: engine.ReLU}
			if c.kernel == "bias_backward" {
				call = engine.BiasBackward{Rows: 300, C: 40, DB: 1, DY: 2}
			}
			off := deviation(t, with(t, n, c.options), call, c.says == "")
			if c.says != "" {
				require.ErrorContains(t, n.err, c.says)
				return
			}
			require.NoError(t, n.err)
			require.False(t, off <= 0, "computes what it should") // NaN is not
			require.NotZero(t, d.Launched[c.kernel])
		})
	}
}

// noting is a device that goes on where a launch fails, and notes why.
type noting struct {
	*interpreted.Device
	err error
}

func (n *noting) Launch(l driver.Launch) error {
	n.err = errors.Join(n.err, n.Device.Launch(l))
	return nil
}

func (n *noting) Record(all []driver.Launch) (driver.Sequence, error) {
	return atonce.Sequence(n.Launch, all), nil
}
