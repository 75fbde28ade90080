/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which cgroup hierarchies are mounted where, out of the text of mountinfo (proc_pid_mountinfo(5)).
 * Internal to profiler/cgroups. */
#ifndef KILN_CGROUPS_CGROUP_MOUNTS_H
#define KILN_CGROUPS_CGROUP_MOUNTS_H

#include <stdbool.h>

#include "profiler/base/vec.h"

struct cgroup_mounts {
	char *main; /* the hierarchy whose ids are used: v2, or else that of systemd, or the first */
	bool v2;
	VEC(char *) others; /* v1 hierarchies beside it */
};

/* -ENOENT: no hierarchy is mounted. 0 or -ENOMEM. */
int cgroup_mounts_parse(struct cgroup_mounts *out, const char *mountinfo);
void cgroup_mounts_release(struct cgroup_mounts *m);

#endif
