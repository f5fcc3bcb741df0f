// Package kernels is the CUDA C++ source of every kernel, one .cu per operation.
// With the tag emu it is also those kernels compiled for the host; see emu.h.
package kernels

import "embed"

// Sources are the .cu files, what they include and the script that compiles them.
//
//go:embed *.cu *.cuh emu.h compile
var Sources embed.FS
