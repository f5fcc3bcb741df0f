// for c:
//   t = Σ_l signed_l[c],  a = Σ_l |signed_l[c]|
//   for l: score_l[c] += |t|·|signed_l[c]|/a      (nothing where a = 0)
//
// Bound: 16 bytes a channel of a member.
#include "elementwise.cuh"

constexpr int max_members = 240; // parameters of a kernel end at 4 KiB

struct Importance {
	float *score[max_members];
	const float *signed_[max_members];
	int c, members;
};

KERNEL(256, importance, Importance p) {
	for FLAT(c, p.c) {
		double t = 0, a = 0;
		for (int l = 0; l < p.members; l++) {
			t += p.signed_[l][c];
			a += fabs(double(p.signed_[l][c]));
		}
		if (a == 0) continue;
		for (int l = 0; l < p.members; l++) p.score[l][c] += float(fabs(t) * fabs(double(p.signed_[l][c])) / a);
	}
}
