//go:build !amd64

package cpu

func winogradOf(isa) *transforms { return &winogradGo }
