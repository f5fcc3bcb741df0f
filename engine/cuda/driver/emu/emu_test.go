//go:build emu

package emu

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver"
	"mdp/kernels"
)

func TestLaunch(t *testing.T) {
	d := Open(kernels.Shuffled)
	x := []float32{-2, 3, float32(math.Inf(-1)), 7, -0.5}
	p, err := d.Alloc(4 * int64(len(x)))
	require.NoError(t, err)
	require.Zero(t, p%256)
	got := make([]float32, len(x))
	require.NoError(t, d.Download(got, p))
	require.True(t, math.IsNaN(float64(got[4])), "new memory is NaN")
	require.NoError(t, d.Zero(p, 4*int64(len(x))))
	require.NoError(t, d.Download(got, p))
	require.Equal(t, make([]float32, len(x)), got)
	require.NoError(t, d.Upload(p, x))

	k, err := d.Kernel("activate")
	require.NoError(t, err)
	params := binary.LittleEndian.AppendUint64(nil, uint64(p))
	params = binary.LittleEndian.AppendUint64(params, uint64(p))
	params = binary.LittleEndian.AppendUint64(params, uint64(len(x)))
	params = binary.LittleEndian.AppendUint64(params, 2)
	launch := driver.Launch{Kernel: k, Grid: [3]int32{3, 1, 1}, Threads: 256, Params: params}
	require.NoError(t, d.Launch(launch))
	require.NoError(t, d.Download(got, p))
	require.Equal(t, []float32{0, 3, 0, 6, 0}, got)

	require.ErrorContains(t, d.Close(), "1 allocations")
	require.NoError(t, d.Free(p))
	require.ErrorContains(t, d.Free(p), "was not allocated")
	require.NoError(t, d.Close())
}

func TestBadLaunchesAreErrors(t *testing.T) {
	d := Open(kernels.Ascending)
	_, err := d.Kernel("nonesuch")
	require.EqualError(t, err, `emu: there is no kernel "nonesuch"`)
	k, err := d.Kernel("activate")
	require.NoError(t, err)
	good := driver.Launch{Kernel: k, Grid: [3]int32{1, 1, 1}, Threads: 256, Params: make([]byte, 32)}
	require.NoError(t, d.Launch(good), "no elements: nothing is touched")
	for want, change := range map[string]func(*driver.Launch){
		"takes 32 bytes of parameters, got 24": func(l *driver.Launch) { l.Params = l.Params[:24] },
		"128 threads a block":                  func(l *driver.Launch) { l.Threads = 128 },
		"a grid of 0x1x1 blocks":               func(l *driver.Launch) { l.Grid[0] = 0 },
		"a grid of 1x70000x1 blocks":           func(l *driver.Launch) { l.Grid[1] = 70000 },
		"a grid of 1x1x65536 blocks":           func(l *driver.Launch) { l.Grid[2] = 65536 },
		"a grid of -2147483648x1x1 blocks":     func(l *driver.Launch) { l.Grid[0] = math.MinInt32 },
		"232449 bytes of shared memory":        func(l *driver.Launch) { l.Shared = 227<<10 + 1 },
	} {
		l := good
		change(&l)
		require.ErrorContains(t, d.Launch(l), want)
	}
}
