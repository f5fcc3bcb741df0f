package cuda

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"mdp/engine"
)

// What is packed is the source twice, each value as its nearest bfloat16.
func TestPacked(t *testing.T) {
	src := []float32{1, -2.5, math.Float32frombits(0x3f808001), math.Float32frombits(0x3f807fff), 0.1}
	want := []uint16{0x3f80, 0xc020, 0x3f81, 0x3f80, 0x3dcd}
	got := packed(engine.BFloat16, src)
	assert.Len(t, got, len(src))
	for i := range 2 * len(src) {
		assert.Equal(t, want[i%len(src)], uint16(math.Float32bits(got[i/2])>>(16*(i%2))), "%d", i)
	}
	assert.Empty(t, packed(engine.BFloat16, nil))
}
