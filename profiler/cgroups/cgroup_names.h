/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the names of cgroup directories. Internal to profiler/cgroups; see cgroups.h. */
#ifndef KILN_CGROUPS_CGROUP_NAMES_H
#define KILN_CGROUPS_CGROUP_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define CONTAINER_ID_LEN 64

/* The container id in a directory name: 64 hex digits, without a NUL; or NULL. */
const char *cgroup_container_id(const char *name, size_t len);

/* True if the directory belongs to that unit. */
bool cgroup_is_unit(const char *name, const char *unit);

/* True if a unit name has one of systemd's suffixes (systemd.unit(5)). */
bool cgroup_has_unit_suffix(const char *name);

/* Splits a cgroup path into unit ("" if there is none) and container (12 hex digits, or ""). */
void cgroup_parse_path(const char *path, char *unit, int unit_size, char *container,
		       int container_size);

#endif
