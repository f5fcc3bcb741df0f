//go:build !emu

package device

import "errors"

const emulated = false

func openEmulation(string) (*Device, error) {
	return nil, errors.New("this build has no emulation of a GPU")
}
