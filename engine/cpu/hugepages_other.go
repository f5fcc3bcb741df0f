//go:build !linux

package cpu

func onHugePages([]byte) {}
