/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings of files next to anonymous memory, which may be a copy of their code. */
#ifndef KILN_PROCS_NEAR_H
#define KILN_PROCS_NEAR_H

#include "profiler/procs/proc_facts.h"

/* Huge pages split a program's code into few mappings. */
#define NEAR_MAX 16

/* Of n mappings by address, those of files that are next to mapping i, below and above it: the nearest of
 * NEAR_MAX on each side, else NULL. */
void near_files(const struct proc_mapping *m, size_t n, size_t i,
		const struct proc_mapping *near[2]);

#endif
