//go:build !cuda

package device

func openGPU(int, string) (*Device, error) { return nil, ErrNoCUDA }
