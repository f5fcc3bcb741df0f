//go:build emu

// Every kernel, compiled for the host.
#include "activate.cu"
