/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the collector, shared by collector.c (turns and windows) and collector_open.c. */
#ifndef KILN_COLLECT_COLLECTOR_PRIV_H
#define KILN_COLLECT_COLLECTOR_PRIV_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/collect/collector.h"
#include "profiler/collect/readers.h"
#include "profiler/collect/source.h"
#include "profiler/window/aggregate.h"

enum { WATCH_SIDEBAND, WATCH_RAW, WATCH_TARGETS };

struct collector {
	struct collector_opts opts;
	struct source source;
	struct files *files;
	struct procs *procs;
	struct ksyms *ksyms;
	struct sideband *sideband;
	struct rescan *rescan;
	struct reported_mappings *reported; /* NULL: mapping events are used */
	struct perf_maps *perf_maps;	    /* likewise */
	struct unwind_feed *feed;	    /* NULL: user stacks are walked by frame pointers */
	struct raw_walk *raw_walk;
	struct cgroups *cgroups;    /* NULL: no cgroup file system */
	struct prefetch *prefetch;  /* NULL: no debuginfod */
	struct file_offers *offers; /* NULL: files were never wanted */
	struct readers readers;
	struct window_naming *naming;
	struct aggregate aggregate; /* of the current window */
	/* [WATCH_SIDEBAND], [WATCH_RAW], then a pidfd for each collector_watch(). */
	VEC(struct pollfd) watched;
	bool filtered, sampling;
	/* Begin of the drained and of the named window. */
	uint64_t open_ns, start_ns, drain_ns, window_ns;
	int64_t window_unix_ns;
	uint64_t read_back; /* samples drained */
	uint64_t turn_ns;   /* last time the rings were read */
	uint64_t next_hz;   /* of the next window; 0: as this one */
	unsigned stall_ms;  /* for tests: a late drain */
};

/* Called while a window is named: sampling goes on meanwhile. ctx is the collector. */
void collector_naming_tick(void *ctx);

#endif
