// Runs one kernel of broken.cu: main NAME ascending|descending|shuffled, and prints what it made.
#include "broken.cu"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
	if (argc != 3) return 2;
	emu_order how = argv[2][0] == 'a' ? EMU_ASCENDING : argv[2][0] == 'd' ? EMU_DESCENDING : EMU_SHUFFLED;
	constexpr int bytes = 64 * sizeof(float);
	float *x = (float *)emu_alloc(bytes), *y = (float *)emu_alloc(bytes), *z = (float *)emu_alloc(bytes);
	for (int i = 0; i < 64; i++) x[i] = i, z[i] = 0;
	emu_written(x, bytes);
	emu_written(z, bytes);
	Reverse p = {y, x, 64, z};
	bool blocks = !strncmp(argv[1], "blocks", 6);
	int grid[3] = {blocks ? 2 : 1, 1, 1};
	const char *error = emu_launch(emu_find(argv[1]), &p, grid, 64, bytes, how);
	if (error) {
		printf("%s\n", error);
		return 1;
	}
	for (int i = 0; i < 64; i++) printf("%g ", strcmp(argv[1], "blocks_right") ? y[i] : z[i]);
	printf("\n");
	emu_free(x);
	emu_free(y);
	emu_free(z);
}
