/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory that cgroups leave this process: past it the kernel kills, and says nothing to who is killed. */
#ifndef KILN_CGROUPS_MEMORY_LIMIT_H
#define KILN_CGROUPS_MEMORY_LIMIT_H

#include <stddef.h>
#include <stdint.h>

/* Bytes: the least of its cgroup and those above it. UINT64_MAX: there is no limit, or it cannot be read. */
uint64_t memory_limit(void);

/* The same of a directory, and of those above it down to one of `point` bytes. */
uint64_t memory_limit_of(const char *dir, size_t point);

/* Logs a warning if that is less than a recording takes. Call before anything large is allocated. */
void memory_limit_warn(void);

#endif
