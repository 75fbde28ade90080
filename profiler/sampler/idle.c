// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/sampler/idle.h"

#define STAT_MAX_BYTES (4u << 20) /* a row is ~60 bytes: thousands of CPUs and interrupts */

void idle_parse(const char *text, uint64_t *idle_ns, size_t n)
{
	uint64_t tick_ns = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		uint64_t user, nice, system, idle, iowait;
		unsigned cpu;

		line += *line == '\n';
		if (sscanf(line, "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
			   &cpu, &user, &nice, &system, &idle, &iowait) == 6 &&
		    cpu < n)
			idle_ns[cpu] = (idle + iowait) * tick_ns;
	}
}

int idle_read(uint64_t *idle_ns, size_t n)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err = io_read_file("/proc/stat", STAT_MAX_BYTES, &text, &len);

	if (!err)
		idle_parse(text, idle_ns, n);
	return err;
}
