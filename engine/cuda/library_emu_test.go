//go:build emu

package cuda

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

// noted is a library that notes what it is asked, and refuses two channels.
type noted struct{ said []string }

func (n *noted) Name() string { return "noted 1" }
func (n *noted) Conv(c engine.ConvForward, at func(engine.Buffer) driver.Pointer) (LibraryConv, error) {
	if c.C == 2 {
		return nil, errors.New("not two")
	}
	return &notedConv{n, fmt.Sprintf("%v at %d", c, at(c.Y)-at(c.X)), ""}, nil
}

type notedConv struct {
	*noted
	what, how string
}

func (c *notedConv) Run() error {
	c.how = "well"
	c.said = append(c.said, c.what)
	return nil
}
func (c *notedConv) How() string  { return c.how }
func (c *notedConv) Close() error { c.said = append(c.said, "closed"); return nil }

func TestLibrary(t *testing.T) {
	d, l := emu.Open(kernels.Ascending), &noted{}
	b, err := New(d, Options{Precision: BFloat16, Library: l})
	require.NoError(t, err)
	require.Equal(t, "noted 1 bf16, emulation, ascending", b.Name())
	conv := engine.ConvForward{Conv: engine.Conv{N: 1, H: 1, W: 1, C: 4, K: 4, R: 1, S: 1, P: 1, Q: 1, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}, Y: 1, X: 2, W: 3}
	plan := &engine.Plan{Len: 64, Spans: []engine.Span{{}, {Offset: 48, Len: 4}, {Len: 4}, {Offset: 16, Len: 16}},
		Calls: []engine.Call{engine.Activate{Len: 4, Y: 2, X: 2}, conv}, Workspace: make([]engine.Buffer, 2)}
	e, err := b.Prepare(plan)
	require.NoError(t, err)
	how := e.(interface{ How(int) string }).How
	require.Empty(t, how(1), "before it ran")
	require.NoError(t, e.Write(2, []float32{1, 2, 3, 4}))
	require.NoError(t, e.Run(0, 2))
	require.NoError(t, e.Time(make([]int64, 2)))
	require.Empty(t, how(0), "one of our own kernels")
	require.Equal(t, "well", how(1))
	ours := make([]float32, 4)
	require.NoError(t, e.Read(ours, 2))
	require.Equal(t, packed(engine.BFloat16, []float32{1, 2, 3, 4}), ours, "in bfloat16, as the library reads it")
	require.NoError(t, e.Close())
	what := conv.String() + " at 192"
	require.Contains(t, l.said, what)
	require.Equal(t, "closed", l.said[len(l.said)-1])

	conv.C = 2
	plan.Calls[1] = conv
	_, err = b.Prepare(plan)
	require.EqualError(t, err, "noted 1: "+conv.String()+": not two")
	require.NoError(t, d.Close(), "a plan that was refused leaves nothing behind")
}
