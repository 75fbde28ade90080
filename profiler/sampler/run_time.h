/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time that BPF programs run, which the kernel counts on request (bpf(2),
 * BPF_ENABLE_STATS). The interrupt around them is not in it. */
#ifndef KILN_SAMPLER_RUN_TIME_H
#define KILN_SAMPLER_RUN_TIME_H

#include <stdint.h>

struct profile_bpf;

/* Counts while *fd is open. 0, or -errno with *fd as it was. */
int run_time_count(int *fd);
/* Of all our programs, while it was counted. 0 or -errno. */
int run_time_read(const struct profile_bpf *skel, uint64_t *ns);

#endif
