/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroups by id, path, systemd unit and container, for targets and labels. Uses cgroup v2, also in
 * the hybrid layout (/sys/fs/cgroup/unified). With v1 only, ids are of systemd's hierarchy, else of
 * the first one. An id is what bpf_get_current_cgroup_id() returns: the inode number of the
 * directory's kernfs node. One thread.
 */
#ifndef KILN_CGROUPS_CGROUPS_H
#define KILN_CGROUPS_CGROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroups;

int cgroups_new(struct cgroups **out); /* finds the mount in /proc/self/mountinfo; 0 or -errno */

/* For tests: another hierarchy and other bounds. 0: the default after the comment's semicolon. */
struct cgroups_opts {
	const char *mount;	/* NULL: as above */
	uint32_t max_dirs;	/* directories in one walk; 65536 */
	uint32_t max_known;	/* cgroups with names; 32768 */
	size_t max_bytes;	/* bytes of these; 8 MiB */
	uint64_t walk_every_ns; /* a second */
	uint32_t walk_ppm;	/* of the time that walks may take; 10,000 */
	uint64_t keep_ns;	/* ten minutes */
};
int cgroups_new_with(struct cgroups **out, const struct cgroups_opts *opts);
void cgroups_free(struct cgroups *c);
bool cgroups_is_v2(const struct cgroups *c);
const char *cgroups_mount(const struct cgroups *c);

/*
 * Find a cgroup for a target: by path ("/sys/fs/cgroup/x", or "x" below the mount), by unit name
 * ("nginx.service"; ".service" is added if there is no suffix), or by container id (a prefix of at
 * least 6 hex digits; docker-, cri-containerd-, crio-, libpod- and plain 64-hex directories). On
 * success *path is malloc'd (absolute) and *id the cgroup id. -ENOENT: there is none (-EOPNOTSUPP:
 * only in v1). -ENOTUNIQ: several containers have the prefix. Or another -errno.
 */
int cgroups_by_path(struct cgroups *c, const char *arg, char **path, uint64_t *id);
int cgroups_by_unit(struct cgroups *c, const char *unit, char **path, uint64_t *id);
int cgroups_by_container(struct cgroups *c, const char *container, char **path, uint64_t *id);

struct cgroup_names {
	const char *path;      /* below the mount, "/" for the root */
	const char *unit;      /* "nginx.service", or "" */
	const char *container; /* 12 hex digits, or "" */
};
/*
 * Gives the names of a cgroup id, clean UTF-8, borrowed. The kernel is asked for an unknown id. If it
 * does not tell, the hierarchy is walked, at most once a second. Names stay valid for at least ten
 * minutes after the last call for them, even if the cgroup is gone. False: unknown, or there is no
 * room (counted).
 */
bool cgroups_names(struct cgroups *c, uint64_t id, struct cgroup_names *out);

struct cgroups_stats {
	uint64_t known, bytes; /* current numbers */
	uint64_t refused;      /* cgroups that were asked for, without room */
	uint64_t cut;	       /* walks that found too many directories or too long paths */
};
void cgroups_stats(const struct cgroups *c, struct cgroups_stats *out);

#endif
