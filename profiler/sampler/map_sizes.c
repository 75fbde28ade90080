// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/sampler/map_sizes.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/text.h"

#define COUNTS_MIN  8192
#define COUNTS_MAX  262144 /* 2 x 262,144 x ~140 bytes: 70 MB, only for thousands of Hz */
#define KSTACKS_MIN 2048
#define KSTACKS_MAX 16384      /* 2 x 16,384 x 1 KB */
#define RING_MIN    (8u << 20) /* 340 raw samples, or 16,000 stacks of 60 frames */
#define RING_MAX    (32u << 20)
#define RING_SAMPLE 8192 /* raw samples for a third of a second */
/* Processes and files that were reported. Each CPU reserves a hundred free entries. */
#define REPORTED_MIN	 8192
#define REPORTED_MAX	 65536
#define REPORTED_PER_CPU 512

/* Maps of the table walk, for processes with few, more, and many mappings. Entries have 830
 * bytes, 6 KB and 49 KB and take memory even if unused: 2 MB at least, 14 MB at most. */
#define N_CLASSES 3
static const struct {
	uint32_t min, max, share; /* share: one in this many processes */
} walk_entries[N_CLASSES] = {{1024, 8192, 1}, {128, 512, 4}, {16, 64, 64}};

static uint32_t pow2_between(uint64_t want, uint32_t min, uint32_t max)
{
	uint32_t v = min;

	while (v < want && v < max)
		v *= 2;
	return v;
}

/* A size from the environment, so that tests can make a map tiny. */
static uint32_t test_size(const char *name, uint32_t normal)
{
	const char *text = getenv(name);
	uint64_t v;

	return text && !text_parse_u64(text, 1u << 26, &v) && v ? (uint32_t)v : normal;
}

static uint32_t count_processes(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	uint32_t n = 0;

	while (proc && (d = readdir(proc)))
		n += isdigit((unsigned char)d->d_name[0]) != 0;
	if (proc)
		closedir(proc);
	return n;
}

/* Room for twice the processes that run now. Few of them have many mappings. */
static void size_walk_maps(uint32_t entries[N_CLASSES])
{
	uint32_t n = 2 * count_processes();

	for (int c = 0; c < N_CLASSES; c++) {
		entries[c] = walk_entries[c].min;
		while (entries[c] < n / walk_entries[c].share && entries[c] < walk_entries[c].max)
			entries[c] *= 2;
	}
}

/* Lets tests have a part refused: makes a map too small for its program, so the verifier refuses
 * it. */
static int test_refusals(struct profile_bpf *k, const struct map_sizes *m)
{
	const char *text = getenv("KILN_TEST_REFUSE") ?: "";
	int err = 0;

	if (m->tables && strstr(text, "tables"))
		err = bpf_map__set_value_size(k->maps.kiln_unw_small, 8);
	if (m->reports && strstr(text, "mappings"))
		err = err ?: bpf_map__set_value_size(k->maps.kiln_reported, 8);
	if (strstr(text, "all"))
		err = err ?: bpf_map__set_value_size(k->maps.kiln_counters, 8);
	return err;
}

int map_sizes_set(struct profile_bpf *k, const struct map_sizes *m)
{
	uint64_t per_window = m->per_s * (m->window_ns / 1000000 + 1000) / 1000;
	uint32_t counts = test_size("KILN_TEST_COUNT_ENTRIES",
				    pow2_between(per_window * 2, COUNTS_MIN, COUNTS_MAX));
	uint32_t kstacks = test_size("KILN_TEST_STACK_ENTRIES",
				     pow2_between(per_window, KSTACKS_MIN, KSTACKS_MAX));
	uint32_t ring = test_size("KILN_TEST_RING_BYTES",
				  pow2_between(m->per_s * RING_SAMPLE, RING_MIN, RING_MAX)),
		 maps[N_CLASSES], reported = 1;

	size_walk_maps(maps);
	if (m->reports)
		reported = pow2_between((uint64_t)m->cpus * REPORTED_PER_CPU, REPORTED_MIN,
					REPORTED_MAX);
	if (bpf_map__set_max_entries(k->maps.kiln_unw_small, m->tables ? maps[0] : 1) ||
	    bpf_map__set_max_entries(k->maps.kiln_unw_medium, m->tables ? maps[1] : 1) ||
	    bpf_map__set_max_entries(k->maps.kiln_unw_large, m->tables ? maps[2] : 1) ||
	    (!m->tables && bpf_map__set_max_entries(k->maps.kiln_unw_tables, 1)) ||
	    bpf_map__set_max_entries(k->maps.kiln_reported, reported) ||
	    bpf_map__set_max_entries(k->maps.kiln_rep_files, reported) ||
	    (!m->reports && bpf_map__set_max_entries(k->maps.kiln_perf_maps, 1)) ||
	    (!m->targets && bpf_map__set_max_entries(k->maps.kiln_targets, 1)) ||
	    (!m->foreign_targets && bpf_map__set_max_entries(k->maps.kiln_targets_ns, 1)))
		return -errno;
	return test_refusals(k, m) ?:
	       bpf_map__set_max_entries(k->maps.kiln_counts_0, counts) ?:
	       bpf_map__set_max_entries(k->maps.kiln_counts_1, counts) ?:
	       bpf_map__set_max_entries(k->maps.kiln_seen_0, counts) ?:
	       bpf_map__set_max_entries(k->maps.kiln_seen_1, counts) ?:
	       bpf_map__set_max_entries(k->maps.kiln_kstacks_0, kstacks) ?:
	       bpf_map__set_max_entries(k->maps.kiln_kstacks_1, kstacks) ?:
	       bpf_map__set_max_entries(k->maps.kiln_ring, ring);
}
