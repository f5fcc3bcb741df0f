// Nothing, for so many cycles of the multiprocessor's clock.
//
// Bound: none; one thread, a few dozen cycles late at most.
#include "device.cuh"

struct Spin {
	int64_t cycles;
};

KERNEL(32, spin, Spin p) {
	if (threadIdx.x > 0) return; // in an emulation each would take its turn
	for (int64_t start = clock64(); clock64() - start < p.cycles;) continue;
}
