// Package enginetest checks that a backend computes every call as its doc
// comment says, against plain float64 loops.
package enginetest

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// Tolerance is the normalised mean squared error, Σ (got − want)² / Σ want²,
// that is allowed on random data; narrow storage has that of its rounding.
const Tolerance = 1e-7

var narrow = map[engine.Storage]float64{engine.BFloat16: 1. / (1 << 13), engine.Float16: 1. / (1 << 18)}

// tolerance of a call: of a convolution whose factors the backend rounds to m bits
// 4¹⁻ᵐ. Rounding makes a third of 4⁻ᵐ or less, but an activation may cut off most
// of what that is measured against.
func tolerance(b engine.Backend, c engine.Call) float64 {
	if most, ok := narrow[b.Info().Storage]; ok {
		return most
	}
	if _, ok := c.(interface{ MACs() int64 }); !ok {
		return Tolerance
	}
	switch b.Info().Precision {
	case "tf32", "fp16":
		return 1. / (1 << 20)
	case "bf16":
		return 1. / (1 << 14)
	}
	return Tolerance
}

// Run checks every case as a subtest named after the call. A call the backend
// does not support is skipped, but something must be supported.
func Run(t *testing.T, b engine.Backend) {
	supported := 0
	for _, c := range check(cases()) {
		if b.Supports(c.call) == nil {
			supported++
		}
		t.Run(c.String(), func(t *testing.T) {
			skipUnsupported(t, b, c.call)
			if c.exact {
				if err := compare(b, c, true, 0); err != nil {
					t.Errorf("on integers: %v\n%s", err, replay(t))
				}
			}
			if err := compare(b, c, false, tolerance(b, c.call)); err != nil {
				t.Errorf("on random data: %v\n%s", err, replay(t))
			}
		})
	}
	if supported == 0 {
		t.Errorf("%s supports no call at all", b.Name())
	}
}

// RunIdentical checks that two backends compute the same bits.
func RunIdentical(t *testing.T, a, b engine.Backend) {
	for _, c := range check(cases()) {
		t.Run(c.String(), func(t *testing.T) {
			skipUnsupported(t, a, c.call)
			skipUnsupported(t, b, c.call)
			rig := newRig(c, a.Info().Storage, max(a.Workspace(c.call), b.Workspace(c.call)))
			image := rig.image(data(c, false))
			want, err := rig.run(a, image)
			require.NoError(t, err)
			got, err := rig.run(b, image)
			require.NoError(t, err)
			for _, o := range c.call.Operands() {
				all := rig.part(want, o)
				for i, v := range rig.part(got, o) {
					if want := all[i]; math.Float32bits(v) != math.Float32bits(want) {
						t.Fatalf("%s[%d] of %d: %s computes %g, %s computes %g\n%s", o.Name, i, o.Len, a.Name(), want, b.Name(), v, replay(t))
					}
				}
			}
		})
	}
}

func skipUnsupported(t *testing.T, b engine.Backend, c engine.Call) {
	switch err := b.Supports(c); {
	case errors.Is(err, engine.ErrUnsupported):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// compare runs the call twice and holds the first result against the reference
// and the second against the first, bit for bit.
func compare(b engine.Backend, c testCase, integers bool, tolerance float64) error {
	rig := newRig(c, b.Info().Storage, b.Workspace(c.call))
	want := data(c, integers)
	if both, ok := c.call.(engine.ConvBatchNorm); ok && b.Info().Storage != engine.Float32 {
		clear(want[both.B]) // far from zero, rounding would leave little to normalise
	}
	for _, o := range c.call.Operands() {
		rig.round(want, o)
	}
	image := rig.image(want)
	got, err := rig.run(b, image)
	if err != nil {
		return err
	}
	for i, v := range got {
		if math.Float32bits(v) != math.Float32bits(image[i]) && !rig.writable(i) {
			return fmt.Errorf("the call wrote to %s", rig.describe(i))
		}
	}

	Reference(c.call, want)
	for _, o := range c.call.Operands() {
		if !o.Write {
			continue
		}
		rig.round(want, o)
		part := rig.part(got, o)
		if err := nmse(part, want[o.Buffer]); !(err <= tolerance) {
			i, worst := farthest(part, want[o.Buffer])
			return fmt.Errorf("NMSE of %s is %.3g, allowed %.3g; farthest off is %s, %g, want %g", o.Name, err, tolerance, fmt.Sprintf("%s[%d] of %d", o.Name, i, o.Len), part[i], worst)
		}
	}

	again, err := rig.run(b, image)
	if err != nil {
		return err
	}
	for i, v := range again {
		if math.Float32bits(v) != math.Float32bits(got[i]) && !rig.scratch(i) {
			return fmt.Errorf("a second run differs at %s: %g, then %g", rig.describe(i), got[i], v)
		}
	}
	return nil
}

func nmse(got []float32, want []float64) float64 {
	var err, norm float64
	for i, v := range got {
		if math.IsInf(want[i], 0) && float64(v) == want[i] { // more than narrow storage holds
			continue
		}
		d := float64(v) - want[i]
		err += d * d
		norm += want[i] * want[i]
	}
	if err == 0 {
		return 0
	}
	return err / norm
}

func farthest(got []float32, want []float64) (int, float64) {
	at, most := 0, -1.0
	for i, v := range got {
		if d := math.Abs(float64(v) - want[i]); !(d <= most) {
			at, most = i, d
			if math.IsNaN(d) {
				break
			}
		}
	}
	return at, want[at]
}

func replay(t *testing.T) string {
	parts := strings.Split(t.Name(), "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return fmt.Sprintf("replay: go test -run '%s'", strings.Join(parts, "/"))
}
