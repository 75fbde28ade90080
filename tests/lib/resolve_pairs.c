// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolve_pairs [-n] [DEBUG_DIR...] < PAIRS: names "FILE OFFSET" lines, sorted by file, with one
 * symbolizer; -n: functions only. Prints "ADDRESSES NAMED LOAD_S REST_S PEAK_KB": the CPU time until
 * the first address of each file was answered, in all, and that of the others; and the most memory of
 * parsed state.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/vec.h"
#include "symbolizer/symbolizer.h"

struct run {
	struct symbolizer *s;
	VEC(uint64_t) offs;
	char path[4096];
	size_t asked, named;
	double load, rest;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void count(void *ctx, size_t index, const struct sym_result *r)
{
	struct run *run = ctx;

	(void)index;
	run->named += r->reason == SYM_OK;
}

static double resolve(struct run *r, int fd, const uint64_t *offs, size_t n)
{
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = r->path};
	double start = now();

	if (n && symbolizer_resolve(r->s, &file, offs, n, count, r))
		fprintf(stderr, "%s: out of memory\n", r->path);
	r->asked += n;
	return now() - start;
}

static void end_file(struct run *r)
{
	int fd = r->offs.len ? open(r->path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		r->load += resolve(r, fd, r->offs.data, 1);
		r->rest += resolve(r, fd, r->offs.data + 1, r->offs.len - 1);
		close(fd);
	}
	r->offs.len = 0;
}

int main(int argc, char **argv)
{
	bool names_only = argc > 1 && !strcmp(argv[1], "-n");
	const char *const *dirs = (const char *const *)argv + 1 + names_only;
	struct symbolizer_opts opts = {.names_only = names_only, .debug_dirs = *dirs ? dirs : NULL};
	struct symbolizer_stats stats;
	struct run r = {0};
	char path[4096];
	uint64_t off;

	if (symbolizer_new(&r.s, &opts))
		return 1;
	while (scanf("%4095s %" SCNx64, path, &off) == 2) {
		if (strcmp(path, r.path) != 0) {
			end_file(&r);
			strcpy(r.path, path);
		}
		if (vec_push(&r.offs, off))
			return 1;
	}
	end_file(&r);
	symbolizer_stats(r.s, &stats);
	printf("%zu %zu %.6f %.6f %zu\n", r.asked, r.named, r.load, r.rest, stats.bytes_peak >> 10);
	symbolizer_free(r.s);
	vec_release(&r.offs);
	return 0;
}
