package driver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// memory is a device with so many bytes that notes what it is asked for.
type memory struct {
	Device
	free int64
	live map[Pointer]int64
	said []string
}

func (m *memory) Alloc(bytes int64) (Pointer, error) {
	m.said = append(m.said, fmt.Sprintf("alloc %d", bytes))
	if bytes > m.free {
		return 0, &OutOfMemory{Need: bytes, Free: m.free}
	}
	p := Pointer(256 * len(m.said))
	m.live[p] = bytes
	m.free -= bytes
	return p, nil
}
func (m *memory) Free(p Pointer) error {
	m.said = append(m.said, fmt.Sprintf("free %d", m.live[p]))
	m.free += m.live[p]
	delete(m.live, p)
	return nil
}
func (m *memory) Close() error { return nil }

func TestKeep(t *testing.T) {
	m := &memory{free: 100, live: map[Pointer]int64{}}
	k := Keep(m)
	alloc := func(bytes int64) Pointer {
		p, err := k.Alloc(bytes)
		require.NoError(t, err)
		return p
	}
	a := alloc(40)
	require.NoError(t, k.Free(a))
	assert.Equal(t, a, alloc(30), "what fits is in the block that was kept")
	b := alloc(50) // beside it
	require.NoError(t, k.Free(a))
	require.NoError(t, k.Free(b)) // the larger is kept
	assert.Equal(t, b, alloc(50))
	require.NoError(t, k.Free(b))
	c := alloc(90) // there is room only without it
	require.NoError(t, k.Free(c))
	_, err := k.Alloc(101)
	require.ErrorAs(t, err, new(*OutOfMemory))
	require.NoError(t, k.Close())
	assert.Empty(t, m.live)
	assert.Equal(t, []string{"alloc 40", "alloc 50", "free 40", "alloc 90", "free 50", "alloc 90", "alloc 101", "free 90", "alloc 101"}, m.said)
}
