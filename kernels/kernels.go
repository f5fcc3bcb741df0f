// Package kernels is the CUDA C++ source of every kernel, one .cu per operation.
// With the tag emu it is also those kernels compiled for the host; see emu.h.
package kernels

import "embed"

// Sources are the .cu files and what they include.
//
//go:embed *.cu *.cuh emu.h
var Sources embed.FS
