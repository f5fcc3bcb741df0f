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
	for FLAT(i, index_t(p.n) * p.h * p.w * p.c) {
		Place at(i, p.h, p.w, p.c);
		const float *move = p.moves + 3 * at.n;
		int h = at.h + int(move[0]), w = (move[2] != 0 ? p.w - 1 - at.w : at.w) + int(move[1]);
		float v = within(h, p.h) && within(w, p.w) ? p.pixels[offset(at.n, h, w, at.c, p.h, p.w, p.c)] / 255.0f : 0;
		p.y[i] = (v - p.mean[at.c]) * p.scale[at.c];
	}
}
STORED(256, load_images, LoadImages)
