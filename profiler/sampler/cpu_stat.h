/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Idle and stolen time of each CPU, from /proc/stat (proc(5)). During such time the timer of a
 * cpu-clock event may sleep, on virtual machines for instance. These periods are no lost samples.
 */
#ifndef KILN_SAMPLER_CPU_STAT_H
#define KILN_SAMPLER_CPU_STAT_H

#include <stddef.h>
#include <stdint.h>

struct cpu_stat {
	uint64_t idle_ns; /* iowait included */
	uint64_t steal_ns;
};

/* Fills stat[cpu] for cpu < n. CPUs that are not listed keep their values. 0 or -errno. */
int cpu_stat_read(struct cpu_stat *stat, size_t n);
/* Does the same from the text of the file. */
void cpu_stat_parse(const char *text, struct cpu_stat *stat, size_t n);
/* Resolution of the values: one clock tick (10 ms). */
uint64_t cpu_stat_resolution_ns(void);

#endif
