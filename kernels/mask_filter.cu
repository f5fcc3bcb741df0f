// for k, r, s, c: w[k,r,s,c] = 0 where k or c is off
//
// For a filter as for its gradient. Bound: 4 bytes a weight that is off.
#include "conv.cuh"

struct MaskFilter {
	float *w;
	Mask in, out;
	int k, rs, c;
};

KERNEL(256, mask_filter, MaskFilter p) {
	MaskedChannels in(p.in, p.c, INPUT), out(p.out, p.k, OUTPUT);
	for FLAT(i, index_t(p.k) * p.rs * p.c)
		if (!in.on(int(i % p.c)) || !out.on(int(i / p.c / p.rs))) p.w[i] = 0;
}
