package bench

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
)

func TestWithChannels(t *testing.T) {
	dense := conv(64, 32)
	dense.Z = 70
	depthwise := conv(16, 16)
	depthwise.Groups = 16
	grouped := conv(16, 32)
	grouped.Groups = 4
	even := conv(32, 32)
	even.Groups = 4
	pool := engine.Pool{N: 2, H: 8, W: 8, C: 16, R: 2, S: 2, P: 4, Q: 4, Stride: [2]int{2, 2}}
	for _, c := range []struct {
		call    engine.Call
		in, out int
		want    string
	}{
		{dense, 5, 7, "conv_forward+relu+bias+add/n2_8x8x5_k7x3x3_s1x1_p1x1_d1x1_g1_o8x8"},
		{depthwise, 3, 3, "conv_forward+relu+bias/n2_8x8x3_k3x3x3_s1x1_p1x1_d1x1_g3_o8x8"},
		{grouped, 8, 12, "conv_forward+relu+bias/n2_8x8x8_k12x3x3_s1x1_p1x1_d1x1_g4_o8x8"},
		{even, 24, 24, "conv_forward+relu+bias/n2_8x8x24_k24x3x3_s1x1_p1x1_d1x1_g3_o8x8"},
		{engine.MaxPoolForward{Pool: pool, Y: 9, X: 8}, 3, 3, "max_pool_forward/n2_8x8x3_2x2_s2x2_p0x0_o4x4"},
		{engine.AvgPoolForward{Pool: pool, Y: 9, X: 8, CountPad: true}, 3, 3, "avg_pool_forward+countpad/n2_8x8x3_2x2_s2x2_p0x0_o4x4"},
		{engine.BatchNormInfer{Rows: 128, C: 16, Y: 1, X: 2, Gamma: 3, Beta: 4, RunMean: 5, RunVar: 6, Act: engine.ReLU6}, 3, 3, "batch_norm_infer+relu6/128x3"},
		{engine.Activate{Len: 2048, Y: 1, X: 2, Act: engine.ReLU}, 128, 3, "activate+relu/384"},
		{engine.Add{Len: 2048, Y: 1, A: 2, B: 3}, 128, 3, "add/384"},
		{engine.Clamp{Len: 2048, Y: 1, X: 2, Alpha: 1, High: 1}, 128, 3, "clamp_1x+0_in_0..1/384"},
		{engine.Mul{N: 2, Pixels: 64, C: 16, Y: 1, A: 2, B: 3}, 3, 3, "mul/2x64x3"},
		{engine.Scale{Rows: 128, C: 16, Y: 1, X: 2, Gamma: 3, Beta: 4}, 3, 3, "scale/128x3"},
		{engine.Softmax{Rows: 2, C: 16, Y: 1, X: 2}, 3, 3, "softmax/2x3"},
		{engine.CopyChannels{Rows: 128, C: 16, XC: 16, YC: 48, YAt: 16, Y: 1, X: 2}, 3, 9, "copy_channels/128x3_from3at0_to9at3"},
	} {
		got := WithChannels(c.call, c.in, c.out)
		assert.Equal(t, c.want, got.String())
		assert.Equal(t, c.want, WithChannels(got, c.in, c.out).String(), "and again")
		for i, o := range got.Operands() {
			assert.Equal(t, engine.Buffer(i+1), o.Buffer, "%v: %s", got, o.Name)
		}
		assert.Len(t, got.Operands(), len(c.call.Operands()))
	}
	assert.Equal(t, layer(even), layer(WithChannels(even, 16, 16)), "as many channels in a group")
	assert.Panics(t, func() { WithChannels(depthwise, 3, 4) })
	assert.Panics(t, func() { WithChannels(grouped, 3, 4) })
	assert.Panics(t, func() { WithChannels(even, 20, 20) })
	assert.Panics(t, func() { WithChannels(dense, 0, 4) })
	assert.Panics(t, func() { WithChannels(engine.SGD{Len: 3}, 1, 1) })
}

// A round has what each copy of the call needs: memory of its own for every
// operand, scratch memory, and somebody who writes what it reads.
func TestRound(t *testing.T) {
	s := newStand(fake{}, quick(), 2)
	for _, c := range []engine.Call{
		conv(3, 5),
		engine.Add{Len: 100, Y: 5, A: 6, B: 6}, // what it reads twice gets two buffers
		engine.SoftmaxLoss{N: 4, C: 10, Metrics: 1, X: 2, Labels: 3},
	} {
		r, err := s.round([]engine.Call{c}, conv(8, 8))
		require.NoError(t, err)
		timed := r.timed[0]
		assert.Len(t, timed, copies)
		owner := make([]int, r.plan.Len) // what begins where, and one
		used := map[int]bool{}
		for i, call := range r.plan.Calls {
			for _, o := range append(call.Operands(), engine.Operand{Buffer: r.plan.Workspace[i], Len: 3}) {
				span := r.plan.Span(o.Buffer)
				require.Equal(t, o.Len, span.Len)
				require.Zero(t, span.Offset%16, "spans start on cache lines")
				for j := span.Offset; j < span.Offset+span.Len; j++ {
					require.Contains(t, []int{0, span.Offset + 1}, owner[j], "spans overlap")
					owner[j] = span.Offset + 1
				}
			}
		}
		for _, i := range timed {
			assert.Equal(t, c.String(), r.plan.Calls[i].String())
			for _, o := range r.plan.Calls[i].Operands() {
				at := r.plan.Span(o.Buffer).Offset
				assert.False(t, used[at], "copies share %s", o.Name)
				used[at] = true
			}
			assert.Equal(t, r.plan.Calls[i].Operands()[1].Buffer, r.plan.Calls[i-1].Operands()[0].Buffer, "what it reads was just written")
		}
		assert.Equal(t, conv(8, 8).String(), r.plan.Calls[len(r.plan.Calls)-1].String())
	}
	_, err := s.round([]engine.Call{engine.SGD{Len: 10, P: 1, V: 2, DP: 3, Hyper: 4}}, conv(8, 8))
	require.ErrorContains(t, err, "no call of an inference program")
}

// Calls of a round take turns on the same memory for activations, each with filters of
// its own: the caches have no more to hold than for the largest alone.
func TestRoundOfSeveral(t *testing.T) {
	s := newStand(fake{}, quick(), 2)
	calls := []engine.Call{conv(8, 5), conv(7, 6), conv(3, 8)}
	r, err := s.round(calls, conv(8, 8))
	require.NoError(t, err)
	require.Len(t, r.timed, len(calls))
	activations, filters := map[int]int{}, map[int]int{} // elements, by where they begin
	for n, timed := range r.timed {
		require.Len(t, timed, copies)
		for _, i := range timed {
			d := r.plan.Calls[i].(engine.ConvForward)
			require.Equal(t, calls[n].String(), d.String())
			for _, o := range d.Operands() {
				span := r.plan.Span(o.Buffer)
				require.Equal(t, o.Len, span.Len)
				if o.Activation {
					activations[span.Offset] = max(activations[span.Offset], span.Len)
				} else {
					require.NotContains(t, filters, span.Offset, o.Name)
					filters[span.Offset] = span.Len
				}
			}
			require.Equal(t, engine.Activate{Len: 2 * 64 * d.C, Y: d.X, X: r.plan.Calls[i-1].(engine.Activate).X}, r.plan.Calls[i-1], "what it reads was just written")
		}
	}
	require.Len(t, activations, 2*copies)
	for _, n := range activations {
		require.Equal(t, 2*64*8, n, "of the largest")
	}
	begins := func(m map[int]int) []int { return slices.Sorted(maps.Keys(m)) }
	all := slices.Sorted(slices.Values(append(begins(activations), begins(filters)...)))
	for i, at := range all[1:] {
		n := activations[all[i]] + filters[all[i]]
		require.LessOrEqual(t, all[i]+n, at, "they overlap")
	}
}

// Copies whose activations half the cache cannot hold share them, as large calls of
// a network do; what they read is written before each nevertheless.
func TestCrowdedCopiesShare(t *testing.T) {
	s := newStand(fake{}, quick(), 2)
	big, small := conv(64, 64), conv(64, 64)
	half := s.cache() / 2 / 4 / copies // elements of both activations
	at := func(c *engine.ConvForward, pixels int) { c.H, c.Conv.W, c.P, c.Q = 1, pixels, 1, pixels }
	at(&small, half/2/64/small.N)
	at(&big, half/2/64/small.N+1)
	for _, c := range []engine.ConvForward{small, big} {
		r, err := s.round([]engine.Call{c}, small)
		require.NoError(t, err)
		used := map[int]int{}
		for _, i := range append(r.timed[0], r.reference) {
			d := r.plan.Calls[i].(engine.ConvForward)
			for _, b := range []engine.Buffer{d.X, d.Y, d.W} {
				used[r.plan.Span(b).Offset]++
			}
			assert.Equal(t, d.X, r.plan.Calls[i-1].Operands()[0].Buffer, "what it reads was just written")
		}
		if c == small {
			assert.Len(t, used, 3*(copies+1))
		} else {
			assert.Len(t, used, 2+copies+1, "activations; a filter each: so the reference takes what its own row says")
		}
	}
}

func TestCoarseFirst(t *testing.T) {
	other := conv(8, 8)
	other.H, other.W = 4, 4
	var calls []engine.Call
	for c := 1; c <= 9; c++ {
		calls = append(calls, WithChannels(conv(8, 8), c, c), WithChannels(other, c, c))
	}
	var channels []int
	for i, c := range slices.Concat(coarseFirst(calls, 1)...) {
		d := c.(engine.ConvForward)
		assert.Equal(t, i%2 == 1, d.H == 4, "layers in turn")
		if d.H == 8 {
			channels = append(channels, d.C)
		}
	}
	assert.Equal(t, []int{9, 1, 5, 7, 3, 8, 6, 4, 2}, channels)

	var cells []engine.Call
	for in := 1; in <= 5; in++ {
		for out := 1; out <= 5; out++ {
			cells = append(cells, WithChannels(conv(8, 8), in, out))
		}
	}
	for _, together := range []int{1, 4} {
		ordered := slices.Concat(coarseFirst(cells, together)...)
		require.Len(t, ordered, len(cells))
		for i, n := range []int{2, 3, 5} { // points of the grid on a side
			for _, c := range ordered[:n*n] {
				d := c.(engine.ConvForward)
				assert.Zero(t, (d.C-1)%(4>>i)+(d.K-1)%(4>>i), "%d × %d first: %v", n, n, c)
			}
		}
	}
}

// Of an input that is larger than the caches its end is written, which they have then;
// the rest is filled once. The copies of the first of several run before they count.
func TestRoundsWriteWhatTheCachesHold(t *testing.T) {
	s := newStand(fake{}, quick(), 2)
	s.rule.MinClock, s.rule.Together = 0.5, 8
	large := conv(64, 8)
	large.H, large.Conv.W = 1, s.cache()/4/64/2+7 // of two images, and more than the caches hold
	large.P, large.Q = 1, large.Conv.W
	r, err := s.round([]engine.Call{large}, large)
	require.NoError(t, err)
	var convs []int
	for i, c := range r.plan.Calls[:r.calls] {
		d, ok := c.(engine.ConvForward)
		if !ok {
			continue
		}
		convs = append(convs, i)
		x, written := r.plan.Span(d.X), r.plan.Span(r.plan.Calls[i-1].(engine.Activate).Y)
		require.Equal(t, x.Offset+x.Len, written.Offset+written.Len)
		require.Less(t, written.Len, x.Len)
		require.InDelta(t, s.cache()/2/4, written.Len, 32)
	}
	require.Equal(t, append(slices.Clone(r.timed[0]), r.reference), convs[copies:])
	filled := 0
	for _, o := range found(&r.plan, r.calls) {
		if o.Name == "x" && o.Len == 2*large.Conv.W*64 {
			filled++
		}
	}
	require.Positive(t, filled, "what is not written each time is there")
}

// What is measured together is of one layer, and of about one size.
func TestTogether(t *testing.T) {
	other := conv(8, 8)
	other.H, other.W = 4, 4
	var calls []engine.Call
	for in := 1; in <= 20; in++ {
		for out := 1; out <= 20; out++ {
			calls = append(calls, WithChannels(conv(8, 8), in, out), WithChannels(other, in, out))
		}
	}
	groups, full := coarseFirst(calls, 8), 0
	seen := map[string]bool{}
	for _, g := range groups {
		require.LessOrEqual(t, len(g), 8)
		if len(g) == 8 {
			full++
		}
		for _, c := range g {
			require.Equal(t, layer(g[0]), layer(c))
			require.LessOrEqual(t, size(g[0]), 2*size(c))
			require.Equal(t, g[0].(engine.ConvForward).K, c.(engine.ConvForward).K)
			require.False(t, seen[c.String()])
			seen[c.String()] = true
		}
	}
	require.Len(t, seen, len(calls))
	require.Greater(t, full, len(groups)/5)

	var pools []engine.Call
	for c := 100; c < 108; c++ {
		pools = append(pools, engine.MaxPoolForward{Pool: engine.Pool{N: 1, H: 4, W: 4, C: c, R: 2, S: 2, P: 2, Q: 2, Stride: [2]int{2, 2}}, Y: 1, X: 2})
	}
	require.Less(t, len(coarseFirst(pools, 8)), 6, "what writes as many as it reads need not be of one width")
}

// A call is measured as a program runs it: slice by slice where the batch is cut.
func TestRoundOfSlices(t *testing.T) {
	const batch = 8
	b, err := cpu.New(cpu.Options{Threads: 2})
	require.NoError(t, err)
	s := newStand(b, quick(), batch)
	c := conv(3, 5)
	c.N = batch
	for _, c := range []engine.Call{c, engine.Add{Len: batch * 64, Y: 1, A: 2, B: 3}} {
		r, err := s.round([]engine.Call{c}, c)
		require.NoError(t, err)
		for _, i := range append(r.timed[0], r.reference) {
			require.Equal(t, batch/2, r.plan.Stage(i).Images, "two workers share the batch")
			for j, o := range r.plan.Slice(i).Operands() {
				span := r.plan.Span(o.Buffer)
				require.Equal(t, o.Activation, span.Lane, o.Name)
				require.Equal(t, o.Len, span.Len, o.Name)
				require.Equal(t, r.plan.Calls[i].Operands()[j].Len, o.Len*map[bool]int{false: 1, true: 2}[o.Activation], o.Name)
			}
		}
		m, err := s.one(c)
		require.NoError(t, err)
		require.Positive(t, m.MedianNS)
		require.Positive(t, m.referenceNS)
	}
}
