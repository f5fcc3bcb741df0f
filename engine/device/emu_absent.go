//go:build !emu

package device

import "errors"

const emulated = false

func openEmulation(Options) (*Device, error) {
	return nil, errors.New("this build has no emulation of a GPU")
}
