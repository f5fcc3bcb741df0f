// A batch norm's statistics, gathered in runs of rows of a matrix [rows, c]. Of each
// run and column there are three numbers, partial [3, runs, c]: one of its own values
// a, Σ (x−a) and Σ (x−a)², which keeps the variance of data far from zero. Runs are
// added up in order and in float64.
#pragma once

#include "columns.cuh"

struct Moments {
	double shift, sum, squares; // Σ (x−shift), Σ (x−shift)²
};

struct Runs {
	const float *partial;
	Columns at; // over the runs
	int rows, run; // of x; of each run but the last, which may be short

	// The moments of the block's chunk of runs in column c, for the first width threads. By the whole block.
	__device__ Moments added(int c) const {
		index_t plane = index_t(at.rows) * at.c;
		Moments all = {};
		if (c < at.c) {
			all.shift = partial[blockIdx.y * index_t(at.chunk) * at.c + c];
			constexpr int ahead = 4;
			float shift[ahead], sum[ahead], squares[ahead];
			walk<ahead>(at,
				[&](int j, index_t i) { shift[j] = partial[i], sum[j] = partial[plane + i], squares[j] = partial[2 * plane + i]; },
				[&](int j, index_t i) {
					double n = i < plane - at.c ? run : rows - (at.rows - 1) * run, by = shift[j] - all.shift;
					all.sum += sum[j] + n * by;
					all.squares += squares[j] + (2 * sum[j] + n * by) * by;
				});
		}
		all.sum = column_sum(all.sum, at.width);
		all.squares = column_sum(all.squares, at.width);
		return all;
	}
};
