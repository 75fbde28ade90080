// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cgroups/memory_limit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cgroups/cgroup_mounts.h"

#define FILE_CAP (1u << 20)
/* A recording of one process took 41 MB on two CPUs, 29 of them the kernel's for BPF. With 36 it was killed. */
#define RECORDING_MB 48

/* v1 says a number near INT64_MAX if there is none, v2 "max". */
static uint64_t read_limit(const char *dir, size_t len, const char *file)
{
	char path[PATH_MAX], line[32];
	uint64_t bytes;

	if ((size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, file) >= sizeof(path) ||
	    io_read_line(path, line, sizeof(line)) || text_parse_u64(line, UINT64_MAX, &bytes))
		return UINT64_MAX;
	return bytes;
}

uint64_t memory_limit_of(const char *dir, size_t point)
{
	static const char *const files[] = {"memory.limit_in_bytes", "memory.max"};
	uint64_t least = UINT64_MAX;

	for (size_t len = strlen(dir);;) {
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
			uint64_t bytes = read_limit(dir, len, files[i]);

			least = bytes < least ? bytes : least;
		}
		if (len <= point)
			return least;
		while (len > point && dir[--len] != '/')
			;
	}
}

uint64_t memory_limit(void)
{
	_cleanup_free_ char *mounts = NULL, *cgroup = NULL, *dir = NULL;
	size_t len, point;

	if (io_read_file("/proc/self/mountinfo", FILE_CAP, &mounts, &len) ||
	    io_read_file("/proc/self/cgroup", FILE_CAP, &cgroup, &len))
		return UINT64_MAX;
	dir = cgroup_mounts_memory(mounts, cgroup, &point);
	return dir ? memory_limit_of(dir, point) : UINT64_MAX;
}

void memory_limit_warn(void)
{
	uint64_t mb = memory_limit() >> 20;

	if (mb < RECORDING_MB)
		log_warning("the memory cgroup allows %llu MB, and a recording takes %d: the "
			    "kernel may "
			    "kill kiln for that, without a word (raise memory.max)",
			    (unsigned long long)mb, RECORDING_MB);
}
