//go:build !cuda

package device

func openGPU(int, Options) (*Device, error) { return nil, ErrNoCUDA }
