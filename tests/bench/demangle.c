// SPDX-License-Identifier: GPL-2.0-or-later
/* demangle [libiberty] <NAMES: the least microseconds a name of ten rounds over all of them. */
#include <libiberty/demangle.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "symbolizer/symbols/demangle.h"

#define ROUNDS 10

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	bool is_peer = argc > 1 && !strcmp(argv[1], "libiberty");
	VEC(char *) names = {0};
	static char line[65536];
	struct buf out = {0};
	double best = 1e18;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (vec_push(&names, strdup(line)))
			return 1;
	}
	for (int round = 0; round < ROUNDS; round++) {
		double start = now_us(), took;

		for (size_t i = 0; i < names.len; i++) {
			buf_clear(&out);
			if (is_peer)
				free(cplus_demangle_v3(names.data[i], DMGL_PARAMS | DMGL_ANSI));
			else
				sym_demangle(&out, names.data[i]);
		}
		took = (now_us() - start) / (double)names.len;
		best = took < best ? took : best;
	}
	printf("%.3f\n", best);
	return 0;
}
