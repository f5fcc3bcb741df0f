// for c:
//   t = Σ_l signed_l[c],  a = Σ_l |signed_l[c]|
//   for l: score_l[c] += unscale·|t|·|signed_l[c]|/a      (nothing where a = 0)
//
// and nothing where unscale = scale[2] is 0 (loss_scale.cu); without scale it is 1.
// Bound: 16 bytes a channel of a member.
#include "elementwise.cuh"

constexpr int max_members = 240; // parameters of a kernel end at 4 KiB

struct Importance {
	float *score[max_members];
	const float *signed_[max_members];
	const float *scale;
	int c, members;
};

KERNEL(256, importance, Importance p) {
	float unscale = p.scale ? p.scale[2] : 1;
	if (unscale == 0) return;
	for FLAT(c, p.c) {
		double t = 0, a = 0;
		for (int l = 0; l < p.members; l++) {
			t += p.signed_[l][c];
			a += fabs(double(p.signed_[l][c]));
		}
		if (a == 0) continue;
		for (int l = 0; l < p.members; l++) p.score[l][c] += unscale * float(fabs(t) * fabs(double(p.signed_[l][c])) / a);
	}
}
