//go:build cuda

package cu

// #include <cuda.h>
import "C"

import (
	"errors"
	"os"
	"unsafe"

	"mdp/engine/cuda/driver"
)

// sequence is a CUDA graph, ready to launch.
type sequence struct {
	device *Device
	graph  C.CUgraphExec
}

// Record captures the launches: nothing runs yet.
func (d *Device) Record(launches []driver.Launch) (driver.Sequence, error) {
	if blocking() {
		return oneByOne{d, launches}, nil
	}
	s := &sequence{device: d}
	err := d.do(func() error {
		stream := *(*C.CUstream)(unsafe.Pointer(&d.stream))
		if err := check("begin capture", C.cuStreamBeginCapture(stream, C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)); err != nil {
			return err
		}
		var err error
		for i := 0; i < len(launches) && err == nil; i++ {
			if err = d.Launch(launches[i]); err != nil {
				err = &driver.LaunchError{Index: i, Err: err}
			}
		}
		var graph C.CUgraph
		if err = errors.Join(err, check("end capture", C.cuStreamEndCapture(stream, &graph))); err == nil {
			err = check("instantiate graph", C.cuGraphInstantiateWithFlags(&s.graph, graph, 0))
		}
		if graph != nil {
			err = errors.Join(err, check("destroy graph", C.cuGraphDestroy(graph)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// blocking is the driver's own switch for finding the launch that fails.
func blocking() bool { return os.Getenv("CUDA_LAUNCH_BLOCKING") == "1" }

// oneByOne waits for each launch before the next.
type oneByOne struct {
	device   *Device
	launches []driver.Launch
}

func (s oneByOne) Run() error {
	for i, l := range s.launches {
		if err := errors.Join(s.device.Launch(l), s.device.Synchronize()); err != nil {
			return &driver.LaunchError{Index: i, Err: err}
		}
	}
	return nil
}

func (s oneByOne) Close() error { return nil }

func (s *sequence) Run() error {
	return s.device.do(func() error {
		return check("launch graph", C.cuGraphLaunch(s.graph, *(*C.CUstream)(unsafe.Pointer(&s.device.stream))))
	})
}

func (s *sequence) Close() error {
	return s.device.release(func() error { return check("destroy graph", C.cuGraphExecDestroy(s.graph)) })
}
