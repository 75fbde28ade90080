/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU lists as the kernel writes them: "0-3,8,10-11" (cpuset(7), "Formats"). */
#ifndef KILN_BASE_CPUS_H
#define KILN_BASE_CPUS_H

#include <stdbool.h>

#include "profiler/base/vec.h"

#define CPUS_MAX 8192 /* NR_CPUS of the largest distribution kernels */

struct cpu_list {
	VEC(int) cpus; /* sorted, no duplicates */
};

/* 0, -EINVAL (not a list) or -ERANGE (a number above CPUS_MAX). */
int cpu_list_parse(struct cpu_list *out, const char *text);
/* The CPUs that are online now. 0 or -errno. */
int cpu_list_online(struct cpu_list *out);
bool cpu_list_has(const struct cpu_list *l, int cpu);
void cpu_list_release(struct cpu_list *l);

#endif
