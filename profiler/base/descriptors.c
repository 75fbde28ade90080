// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/descriptors.h"

#include <sys/resource.h>

#define PARTS 8
#define LEAST 8

uint32_t descriptors_share(uint32_t most)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur / PARTS >= most)
		return most;
	return l.rlim_cur / PARTS < LEAST ? LEAST : (uint32_t)(l.rlim_cur / PARTS);
}
