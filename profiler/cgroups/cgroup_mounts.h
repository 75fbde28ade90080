/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the mounted cgroup hierarchies in the text of mountinfo (proc_pid_mountinfo(5)).
 * Internal to profiler/cgroups. */
#ifndef KILN_CGROUPS_CGROUP_MOUNTS_H
#define KILN_CGROUPS_CGROUP_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/vec.h"

struct cgroup_mounts {
	char *main; /* hierarchy whose ids are used: v2, else systemd's, else the first */
	bool v2;
	VEC(char *) others; /* further v1 hierarchies */
};

/* 0, -ENOMEM, or -ENOENT if no hierarchy is mounted. */
int cgroup_mounts_parse(struct cgroup_mounts *out, const char *mountinfo);
void cgroup_mounts_release(struct cgroup_mounts *m);

/*
 * The directory of the cgroup that bounds a process's memory, by mountinfo and its /proc/PID/cgroup: of v1's controller
 * "memory", else of v2. malloc'd; *point: length of the mount point that it begins with. NULL: none is mounted, or out
 * of memory.
 */
char *cgroup_mounts_memory(const char *mountinfo, const char *cgroup, size_t *point);

#endif
