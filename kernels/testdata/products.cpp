// products NAME ascending|descending|shuffled runs a kernel of products.cu and says whether
// its product is right. products layouts prints where the elements of operands lie in each
// swizzle, along k and across, and which element a thread's sum is, each as a hash.
#include "products.cu"

#include <stdio.h>
#include <stdlib.h>

uint64_t hash = 0xcbf29ce484222325; // FNV-1a of numbers of 32 bits
void add(uint32_t v) {
	for (int i = 0; i < 4; i++) hash = (hash ^ (v >> 8 * i & 255)) * 0x100000001b3;
}

int layouts() {
	for (int mode = 0; mode < 4; mode++)
		for (int across = 0; across < 2; across++) {
			hash = 0xcbf29ce484222325;
			uint64_t d = 0x2400 >> 4 | uint64_t(0x2000 >> 4) << 16 | uint64_t(0x800 >> 4) << 32 | uint64_t(mode) << 62;
			for (int row = 0; row < 128; row++)
				for (int k = 0; k < 16; k++) add(emu::operand_address(d, across, row, k));
			printf("%d %d %016lx\n", mode, across, hash);
		}
	hash = 0xcbf29ce484222325;
	for (int thread = 0; thread < 128; thread++)
		for (int i = 0; i < 64; i++) add(emu::sum_row(thread, i) + 64 * emu::sum_column(thread, i));
	printf("sums %016lx\n", hash);
	return 0;
}

bool along_k(const char *name, char operand) {
	if (!strcmp(name, "along") || !strcmp(name, "never_waits")) return true;
	if (!strcmp(name, "across")) return false;
	if (!strcmp(name, "a_across")) return operand == 'b';
	return operand == 'a';
}

int main(int argc, char **argv) {
	if (argc == 2) return layouts();
	if (argc != 3) return 2;
	emu_order how = argv[2][0] == 'a' ? EMU_ASCENDING : argv[2][0] == 'd' ? EMU_DESCENDING : EMU_SHUFFLED;
	static float d[64 * 128], a[64][64], b[64][128]; // a[k][m], b[k][n]
	static uint16_t a16[64 * 64], b16[64 * 128];
	for (int k = 0; k < 64; k++) {
		for (int m = 0; m < 64; m++) {
			a[k][m] = rand() % 15 - 7;
			a16[along_k(argv[1], 'a') ? m * 64 + k : k * 64 + m] = uint16_t(to_bf16x2(a[k][m], 0));
		}
		for (int n = 0; n < 128; n++) {
			b[k][n] = rand() % 15 - 7;
			b16[along_k(argv[1], 'b') ? n * 64 + k : k * 128 + n] = uint16_t(to_bf16x2(b[k][n], 0));
		}
	}
	Product p = {d, a16, b16};
	int grid[3] = {2, 1, 1};
	if (const char *error = emu_launch(emu_find(argv[1]), &p, grid, 128, 26 << 10, how)) {
		printf("%s\n", error);
		return 1;
	}
	for (int m = 0; m < 64; m++)
		for (int n = 0; n < 128; n++) {
			float want = 0;
			for (int k = 0; k < 64; k++) want += a[k][m] * b[k][n];
			if (!(d[m * 128 + n] == want)) {
				printf("wrong: [%d,%d] is %g, not %g\n", m, n, d[m * 128 + n], want);
				return 1;
			}
		}
	printf("right\n");
}
