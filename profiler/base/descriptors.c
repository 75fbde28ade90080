// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/descriptors.h"

#include <sys/resource.h>

#define LEAST 8

static uint32_t part(uint32_t most, unsigned parts)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur / parts >= most)
		return most;
	return l.rlim_cur / parts < LEAST ? LEAST : (uint32_t)(l.rlim_cur / parts);
}

uint32_t descriptors_share(uint32_t most)
{
	return part(most, 8);
}

uint32_t descriptors_half(uint32_t most)
{
	return part(most, 2);
}
