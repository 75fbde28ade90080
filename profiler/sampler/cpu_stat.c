// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/sampler/cpu_stat.h"

#define STAT_MAX_BYTES (4u << 20) /* a row is ~60 bytes: thousands of CPUs and interrupts */

uint64_t cpu_stat_resolution_ns(void)
{
	return 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* "cpuN user nice system idle iowait irq softirq steal ..."; "cpu " is the sum of all. */
static void parse_row(const char *row, struct cpu_stat *stat, size_t n)
{
	uint64_t idle, iowait, steal, tick_ns = cpu_stat_resolution_ns();
	unsigned cpu;

	if (strncmp(row, "cpu", 3) || row[3] < '0' || row[3] > '9')
		return;
	if (sscanf(row, "cpu%u %*u %*u %*u %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64, &cpu, &idle,
		   &iowait, &steal) != 4 ||
	    cpu >= n)
		return;
	stat[cpu] = (struct cpu_stat){(idle + iowait) * tick_ns, steal * tick_ns};
}

void cpu_stat_parse(const char *text, struct cpu_stat *stat, size_t n)
{
	for (const char *row = text; *row; row++) {
		parse_row(row, stat, n);
		row = strchrnul(row, '\n');
		if (!*row)
			return;
	}
}

int cpu_stat_read(struct cpu_stat *stat, size_t n)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err = io_read_file("/proc/stat", STAT_MAX_BYTES, &text, &len);

	if (!err)
		cpu_stat_parse(text, stat, n);
	return err;
}
