//go:build cuda

package cu

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver"
)

func open(t *testing.T) *Device {
	d, err := Open(0)
	if errors.Is(err, ErrNoDevice) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// Without a driver the process lives and says what is missing.
func TestNoSuchDevice(t *testing.T) {
	_, err := Open(1000)
	require.Error(t, err)
	if !errors.Is(err, ErrNoDevice) {
		require.ErrorContains(t, err, "there is no device cuda:1000; this machine has cuda:0")
	}
}

// Where there is no driver at all, nothing is said of how it started.
func TestNoDriver(t *testing.T) {
	_, err := Devices()
	if err == nil || os.Getenv(emulatedKey) != "" {
		t.Skip("there is one")
	}
	require.EqualError(t, err, "cuda: no NVIDIA GPU: libcuda.so.1 was not found, or finds no device")
}

func TestDeviceThatIsTooOld(t *testing.T) {
	if os.Getenv(emulatedKey) == "" {
		t.Skip("only the emulated driver has such a device")
	}
	t.Setenv("EMULATED_CAPABILITY_MAJOR", "7")
	_, err := Open(0)
	require.EqualError(t, err, "cuda: emulated driver has compute capability 7.0; the kernels need 8.0 or newer")
}

// Whatever fails is an error that says where, and leaves nothing behind.
func TestDeviceThatFails(t *testing.T) {
	if os.Getenv(emulatedKey) == "" {
		t.Skip("only the emulated driver fails when asked")
	}
	for failure, want := range map[string]string{
		"cuDevicePrimaryCtxRetain=46": "cuda: emulated driver: the driver: CUDA-capable device(s) is/are busy or unavailable (CUDA error 46); another process may have it to itself",
		"cuModuleLoadData=222":        "cuda: emulated driver: kernels activate.cu do not load: the driver: the provided PTX was compiled with an unsupported toolchain. (CUDA error 222); the driver is for CUDA 13.0, a newer one may be needed",
	} {
		t.Setenv("EMULATED_FAILURE", failure)
		_, err := Open(0)
		require.EqualError(t, err, want)
	}
	require.NoError(t, os.Unsetenv("EMULATED_FAILURE"))
	open(t)
}

// A launch that cannot be recorded is named, and leaves no graph behind.
func TestDeviceThatRecords(t *testing.T) {
	if os.Getenv(emulatedKey) == "" {
		t.Skip("only the emulated driver fails when asked")
	}
	d := open(t)
	spin, err := d.Kernel("spin")
	require.NoError(t, err)
	launch := driver.Launch{Kernel: spin, Grid: [3]int32{1, 1, 1}, Threads: 32, Params: make([]byte, 8)}
	wrong := launch
	wrong.Threads = 33
	_, err = d.Record([]driver.Launch{launch, wrong})
	var at *driver.LaunchError
	require.ErrorAs(t, err, &at)
	require.Equal(t, 1, at.Index)
	s, err := d.Record([]driver.Launch{launch, launch})
	require.NoError(t, err)
	require.NoError(t, errors.Join(s.Run(), d.Synchronize(), s.Close()))
}

// What a kernel may have of shared memory is asked for, even where a little less than that
// needs no asking; a graph keeps what it was captured with.
func TestDeviceSharedMemory(t *testing.T) {
	d := open(t)
	spin, err := d.Kernel("spin")
	require.NoError(t, err)
	launch := driver.Launch{Kernel: spin, Grid: [3]int32{1, 1, 1}, Threads: 32, Params: make([]byte, 8)}
	var all []driver.Launch
	for _, launch.Shared = range []int{0, 48 << 10, 96 << 10, 64 << 10} {
		all = append(all, launch)
	}
	s, err := d.Record(all)
	require.NoError(t, err)
	for range 2 {
		launch.Shared = 1 << 10
		require.NoError(t, errors.Join(s.Run(), d.Launch(launch), d.Synchronize()))
	}
	require.NoError(t, s.Close())
}

func TestMemory(t *testing.T) {
	d := open(t)
	p, err := d.Alloc(20)
	require.NoError(t, err)
	require.NoError(t, d.Zero(p, 20))
	require.NoError(t, d.Upload(p.Offset(1), []float32{1, 2}))
	got := make([]float32, 5)
	require.NoError(t, d.Download(got, p))
	require.Equal(t, []float32{0, 1, 2, 0, 0}, got)
	require.NoError(t, d.Free(p))
	var oom *driver.OutOfMemory
	_, err = d.Alloc(1 << 50)
	require.ErrorAs(t, err, &oom)
	require.Positive(t, oom.Free)
}

// An upload comes between the launches before and after it, and its source is free
// at once.
func TestDeviceUploads(t *testing.T) {
	d := open(t)
	const n = 5
	p, err := d.Alloc(4 * n * 2)
	require.NoError(t, err)
	u, err := d.NewUploader(4 * n)
	require.NoError(t, err)
	src, got := make([]float32, n), make([]float32, 2*n)
	for round := range 5 { // more than there are slots
		for i := range src {
			src[i] = float32(10*round + i)
		}
		require.NoError(t, u.Upload(p.Offset(round%2*n), src))
		clear(src)
		if round > 0 {
			require.NoError(t, d.Download(got, p))
			for i := range n {
				require.Equal(t, float32(10*round+i), got[round%2*n+i])
				require.Equal(t, float32(10*(round-1)+i), got[(round-1)%2*n+i])
			}
		}
	}
	require.NoError(t, u.Upload(p, nil))
	require.EqualError(t, u.Upload(p, make([]float32, n+1)), "upload of 24 bytes through room for 20")
	require.NoError(t, u.Close())
	require.NoError(t, d.Free(p))
	_, err = d.NewUploader(1 << 50)
	require.Error(t, err)
	if os.Getenv(emulatedKey) != "" { // a driver may call it an invalid size
		require.ErrorContains(t, err, "pinned memory")
	}
}

// The context belongs to a thread; a device may be used from any goroutine.
func TestAnyThread(t *testing.T) {
	d := open(t)
	p, err := d.Alloc(4)
	require.NoError(t, err)
	errs := make(chan error)
	for range 8 {
		go func() {
			runtime.LockOSThread() // and ends the thread with the goroutine
			errs <- errors.Join(d.Zero(p, 4), d.Synchronize(), d.Upload(p, []float32{1}))
		}()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
	require.NoError(t, d.Free(p))
}

func TestTimer(t *testing.T) {
	d := open(t)
	timer, err := d.NewTimer(3)
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, timer.Mark(i))
	}
	latencyNS := []int64{-1, -1}
	require.NoError(t, timer.NS(latencyNS))
	require.GreaterOrEqual(t, min(latencyNS[0], latencyNS[1]), int64(0))
	require.NoError(t, timer.Close())
}
