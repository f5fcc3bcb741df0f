//go:build emu

package prune

import "testing"

const gpu = "emu"

func skipWithout(*testing.T) {}
