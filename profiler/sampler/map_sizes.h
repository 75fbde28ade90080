/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How large the maps of the BPF programs are: what one window can fill, within bounds. */
#ifndef KILN_SAMPLER_MAP_SIZES_H
#define KILN_SAMPLER_MAP_SIZES_H

#include <stdbool.h>
#include <stdint.h>

struct profile_bpf;

struct map_sizes {
	uint64_t per_s;	    /* samples of all CPUs together */
	uint64_t window_ns; /* time between drains */
	uint32_t cpus;	    /* possible ones */
	bool tables;	    /* user stacks are walked by unwind tables */
	bool reports;	    /* samples report mappings */
	bool targets;	    /* only some processes are sampled */
};

/* Before the programs are loaded. What is off gets maps of one entry. 0 or -errno. */
int map_sizes_set(struct profile_bpf *k, const struct map_sizes *m);

#endif
