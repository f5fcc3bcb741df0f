// Runs one kernel of broken.cu: main NAME ascending|descending|shuffled, and prints what it made.
#include "broken.cu"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
	if (argc != 3) return 2;
	emu_order how = argv[2][0] == 'a' ? EMU_ASCENDING : argv[2][0] == 'd' ? EMU_DESCENDING : EMU_SHUFFLED;
	float *x = (float *)malloc(64 * sizeof *x), *y = (float *)malloc(64 * sizeof *y);
	for (int i = 0; i < 64; i++) x[i] = i, y[i] = -1;
	Reverse p = {y, x, 64};
	int grid[3] = {2, 1, 1};
	const char *error = emu_launch(emu_find(argv[1]), &p, grid, 64, 64 * sizeof(float), how);
	if (error) {
		printf("%s\n", error);
		return 1;
	}
	for (int i = 0; i < 64; i++) printf("%g ", y[i]);
	printf("\n");
	free(x);
	free(y);
}
