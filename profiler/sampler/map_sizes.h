/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes of the BPF maps: what one drained window can fill, within bounds. */
#ifndef KILN_SAMPLER_MAP_SIZES_H
#define KILN_SAMPLER_MAP_SIZES_H

#include <stdbool.h>
#include <stdint.h>

struct profile_bpf;

struct map_sizes {
	uint64_t per_s;	      /* samples of all CPUs together */
	uint64_t window_ns;   /* time between drains */
	uint32_t cpus;	      /* possible ones */
	bool tables;	      /* user stacks are walked by unwind tables */
	bool reports;	      /* samples report mappings */
	bool targets;	      /* only some processes are sampled */
	bool foreign_targets; /* in another pid namespace than the initial one */
};

/* Call before the programs are loaded. Maps of features that are off get one entry. 0 or -errno. */
int map_sizes_set(struct profile_bpf *k, const struct map_sizes *m);

#endif
