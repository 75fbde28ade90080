/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kubernetes pods and containers in cgroup paths: of cgroup v1 and v2, as kubelet names them under its
 * systemd and its cgroupfs driver, also where a cluster runs inside containers. Text only.
 */
#ifndef KILN_CGROUPS_CGROUP_POD_H
#define KILN_CGROUPS_CGROUP_POD_H

#include "profiler/cgroups/cgroup_names.h"

#define POD_UID_LEN	36 /* 8-4-4-4-12; of a static pod 32 digits */
#define CGROUP_UNIT_LEN 255
#define CGROUP_LINE_MAX 4096

struct cgroup_place { /* "" where there is none */
	char pod_uid[POD_UID_LEN + 1];
	char container[CONTAINER_ID_LEN + 1]; /* the whole id of the innermost */
	char unit[CGROUP_UNIT_LEN + 1];	      /* the innermost that runs processes */
};

/* What a path says. */
void cgroup_place_parse(struct cgroup_place *out, const char *path);

/*
 * The same from the text of /proc/PID/cgroup (cgroups(7)): the unified hierarchy's line goes first, but
 * where it knows no container, as on hybrid hosts, any other that does.
 */
void cgroup_place_of_process(struct cgroup_place *out, const char *text);

#endif
