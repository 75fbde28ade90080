/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the mounted cgroup hierarchies in the text of mountinfo (proc_pid_mountinfo(5)).
 * Internal to profiler/cgroups. */
#ifndef KILN_CGROUPS_CGROUP_MOUNTS_H
#define KILN_CGROUPS_CGROUP_MOUNTS_H

#include <stdbool.h>

#include "profiler/base/vec.h"

struct cgroup_mounts {
	char *main; /* hierarchy whose ids are used: v2, else systemd's, else the first */
	bool v2;
	VEC(char *) others; /* further v1 hierarchies */
};

/* 0, -ENOMEM, or -ENOENT if no hierarchy is mounted. */
int cgroup_mounts_parse(struct cgroup_mounts *out, const char *mountinfo);
void cgroup_mounts_release(struct cgroup_mounts *m);

#endif
