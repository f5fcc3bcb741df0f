// y[i] = Σ over j < parts of partial[j·len + i], in order of j and in float64
//
// The second half of every sum that is split over blocks.
// Bound: 4·parts + 4 bytes an element.
#include "elementwise.cuh"

struct SumPartials {
	float *y;
	const float *partial;
	index_t len;
	int parts;
};

KERNEL(256, sum_partials, SumPartials p) {
	for FLAT(i, p.len) {
		double sum = 0;
		for (int j = 0; j < p.parts; j++) sum += p.partial[j * p.len + i];
		p.y[i] = float(sum);
	}
}
