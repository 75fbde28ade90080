/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of containers and pods, without asking any server: from kubelet's log directories and from what
 * containerd, CRI-O, Docker and podman leave on disk. All of it is read as hostile: users name containers.
 * Not thread-safe.
 */
#ifndef KILN_CGROUPS_CONTAINERS_H
#define KILN_CGROUPS_CONTAINERS_H

struct containers;

#define CONTAINERS_MAX	    4096	   /* known at once; those asked for longest ago go */
#define CONTAINERS_AGAIN_NS 30000000000ull /* what was not found is looked for again after this */

struct container_names { /* clean UTF-8, "" where it is not known; borrowed until the next call */
	const char *name, *image;
	const char *pod, *namespace;
};

/* `root` is put before every path: "" but for tests. 0 or -ENOMEM. */
int containers_new(struct containers **out, const char *root);
void containers_free(struct containers *c);

/* Names by the whole id of a container and the uid of its pod; either may be "". */
void containers_find(struct containers *c, const char *container, const char *pod_uid,
		     struct container_names *out);

#endif
