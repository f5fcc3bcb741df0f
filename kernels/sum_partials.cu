// y[i] = Σ over j < parts of partial[j·len + i], in float64
//
// or, where the first `kept` of every `of` are wanted, of those alone, side by side.
// The second half of every sum that is split over blocks: the sums of the columns of a
// matrix [parts, len], whose rows the threads of a block share where there are many.
// Bound: 4·parts + 4 bytes an element.
#include "columns.cuh"

struct SumPartials {
	float *y;
	const float *partial;
	Columns at; // in one chunk
	int kept, of;
};

KERNEL(column_threads, sum_partials, SumPartials p) {
	constexpr int ahead = rows_ahead<float, 1>;
	int i = p.at.column();
	double sum = 0;
	if (i < p.at.c) {
		float part[ahead];
		walk<ahead>(p.at, [&](int j, index_t at) { part[j] = p.partial[at]; }, [&](int j, index_t) { sum += part[j]; });
	}
	sum = column_sum(sum, p.at.width);
	if (threadIdx.x < p.at.width && i < p.at.c && i % p.of < p.kept) p.y[i / p.of * p.kept + i % p.of] = float(sum);
}
