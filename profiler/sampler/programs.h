/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the BPF programs and maps: as much of what was asked for as this kernel accepts. */
#ifndef KILN_SAMPLER_PROGRAMS_H
#define KILN_SAMPLER_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>

struct profile_bpf;
struct sampler_opts;

struct programs {
	struct profile_bpf *skel; /* owned by the caller */
	bool tables;		  /* user stacks are walked by unwind tables */
	bool reports;		  /* samples report mappings */
};

/* n_cpus counts possible CPUs. On failure *why is a sentence for the user. 0 or -errno. */
int programs_load(struct programs *out, const struct sampler_opts *opts, uint32_t n_cpus,
		  const char **why);

#endif
