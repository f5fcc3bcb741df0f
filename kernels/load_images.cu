// for n, h, w, c, with (dy, dx, flip) = moves[n] and w' = W−1−w if flip ≠ 0, else w:
//   y[n,h,w,c] = (pixels[n, h+dy, w'+dx, c] / 255 − mean[c]) · scale[c]
//
// Pixels are bytes, and 0 outside the image. Bound: 5 bytes an element.
#include "conv.cuh"
#include "pool.cuh"

template <class T> struct LoadImages {
	T *y;
	const uint8_t *pixels;
	const float *moves, *mean, *scale; // moves [n, 3]
	int n, h, w, c;
};

template <class T> __device__ void load_images_of(const LoadImages<T> &p) {
	flat(index_t(p.n) * p.h * p.w * p.c, [&](index_t i, auto each) {
		Place at(i, p.h, p.w, p.c);
		const float *move = p.moves + 3 * at.n;
		int h = at.h + int(move[0]), by = int(move[1]);
		bool flip = move[2] != 0, seen = within(h, p.h);
		const uint8_t *line = p.pixels + offset(at.n, seen ? h : 0, 0, 0, p.h, p.w, p.c);
		Pack<float, each> y;
#pragma unroll
		for (int e = 0; e < each; e++) {
			int w = (flip ? p.w - 1 - at.w : at.w) + by;
			float v = seen && within(w, p.w) ? line[w * p.c + at.c] / 255.0f : 0;
			y.at[e] = (v - p.mean[at.c]) * p.scale[at.c];
			if (++at.c == p.c) at.c = 0, at.w++;
		}
		put_pack(&p.y[i], y);
	}, p.w * p.c % 8 == 0); // eight of a line
}
STORED(256, load_images, LoadImages)
