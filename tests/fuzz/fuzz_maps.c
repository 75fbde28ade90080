// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of /proc/PID/maps, and of mountinfo, which is of the same kind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/cgroups/cgroup_mounts.h"
#include "profiler/cgroups/cgroup_names.h"
#include "profiler/procs/maps.h"

static int check(void *ctx, const struct maps_entry *e)
{
	size_t *n = ctx;

	if (!e->exec || e->end <= e->start || strlen(e->path) >= MAPS_PATH_MAX)
		abort();
	map_kind_of(e->path, (enum map_content)(*n % 3));
	return ++*n > 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), unit[8], container[8];
	struct cgroup_mounts m;
	size_t n = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (maps_parse((const char *)data, size, check, &n) > size)
		abort();
	cgroup_parse_path(text, unit, sizeof(unit), container, sizeof(container));
	if (!cgroup_mounts_parse(&m, text)) {
		if (m.main[0] != '/')
			abort();
		cgroup_mounts_release(&m);
	}
	free(cgroup_mounts_memory(text, text, &n));
	free(text);
	return 0;
}
