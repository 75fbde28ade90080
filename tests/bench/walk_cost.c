// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: walk_cost tables|fp warm|cold FRAMES...
 * Asks, FRAMES deep in calls, for walks of its own stack, and prints a line "FRAMES NS": the frames
 * that were found and the first quartile of what one walk took. Built with frame pointers for `fp`,
 * without them for `tables`. Cold: 64 MB are written between two walks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/walk_cost.skel.h"
#include "profiler/unwind/unwind_maps.h"
#include "profiler/unwind/unwind_tables.h"
#include "symbolizer/worker/table_worker.h"
#include "tests/lib/fixture.h"
#include "tests/lib/unwind_space.h"

#define ROUNDS	     201
#define WARM_REPEATS 64
#define JUNK	     (64u << 20)
#define REGIONS	     UNWIND_MAPS_SMALL

static struct walk_cost_bpf *skel;
static struct unwind_space space;
static char *junk; /* cold: as much as evicts everything else */
static uint64_t took[ROUNDS];
static volatile uint64_t sink;

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t at = 0; junk && at < JUNK; at += 64)
			junk[at]++;
		syscall(SYS_getpgid, 0);
		took[i] = skel->bss->took_ns / skel->rodata->repeats;
	}
	qsort(took, ROUNDS, sizeof(took[0]), by_size);
}

static void __attribute__((noinline)) odd(long depth);

static void __attribute__((noinline)) even(long depth)
{
	if (depth > 0)
		odd(depth - 1);
	else
		measure();
	sink++; /* no tail call */
}

static void __attribute__((noinline)) odd(long depth)
{
	volatile char locals[64];

	locals[depth & 63] = 1;
	if (depth > 0)
		even(depth - 1);
	else
		measure();
	sink += locals[0];
}

/* The tables of all this program maps, but for the vDSO, which is not in these stacks. */
static void want_tables(struct unwind_tables *t)
{
	uint32_t *changed;

	for (size_t i = 0; i < space.tables.len; i++) {
		int fd;

		if (!strcmp(space.tables.data[i].path, "[vdso]"))
			continue;
		fd = fixture_open(space.tables.data[i].path);
		assert_int_equal(unwind_tables_want(t, (uint32_t)i, SYM_FILE_OF(fd)), 0);
		close(fd);
	}
	assert_true(unwind_tables_settle(t, 60000));
	unwind_tables_poll(t, &changed);
}

static void set_regions(struct unwind_tables *t, struct unwind_maps *maps)
{
	static struct unwind_region r[REGIONS];
	uint64_t va_minus_off;

	assert_true(space.maps.len <= REGIONS);
	for (size_t i = 0; i < space.maps.len; i++) {
		const struct space_mapping *m = &space.maps.data[i];

		r[i] = (struct unwind_region){m->begin, m->end - m->begin, m->bias,
					      UNWIND_SLOT_NONE};
		unwind_tables_get(t, (uint32_t)m->table, m->file_off, &r[i].slot, &va_minus_off);
	}
	assert_int_equal(unwind_maps_set(maps, getpid(), 0, r, space.maps.len), 0);
}

static void load(bool frame_pointers)
{
	struct table_worker_opts compiler = {0};
	struct unwind_tables_opts opts = {0};
	struct unwind_tables *tables;
	struct unwind_maps *maps;

	skel = walk_cost_bpf__open();
	assert_non_null(skel);
	skel->rodata->unwind_tables = true;
	skel->rodata->frame_pointers = frame_pointers;
	skel->rodata->asking_call = SYS_getpgid;
	skel->rodata->asker = (uint32_t)getpid();
	skel->rodata->repeats = junk ? 1 : WARM_REPEATS;
	assert_int_equal(walk_cost_bpf__load(skel), 0);
	assert_int_equal(walk_cost_bpf__attach(skel), 0);
	space_read(&space, getpid());
	opts.map_fd = bpf_map__fd(skel->maps.kiln_unw_tables);
	assert_int_equal(table_worker_new(&opts.compiler, &compiler), 0);
	assert_int_equal(unwind_tables_new(&tables, &opts), 0);
	assert_int_equal(unwind_maps_new(&maps, bpf_map__fd(skel->maps.kiln_unw_small),
					 bpf_map__fd(skel->maps.kiln_unw_medium),
					 bpf_map__fd(skel->maps.kiln_unw_large)),
			 0);
	want_tables(tables);
	set_regions(tables, maps);
}

int main(int argc, char **argv)
{
	long least;

	assert_true(argc > 3);
	if (!strcmp(argv[2], "cold"))
		junk = calloc(1, JUNK);
	load(!strcmp(argv[1], "fp"));
	even(0);
	least = (long)skel->bss->frames;
	for (int i = 3; i < argc; i++) {
		even(atol(argv[i]) - least);
		printf("%lu %lu\n", (unsigned long)skel->bss->frames,
		       (unsigned long)took[ROUNDS / 4]);
	}
	return 0;
}
