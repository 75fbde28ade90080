/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments written once more, into one: smaller, faster to read, with coarser windows or without what
 * was to be removed. The new one names those whose place it takes before they go, so that a crash at
 * any moment, and whoever reads meanwhile, finds every window once.
 */
#ifndef KILN_STORE_COMPACT_H
#define KILN_STORE_COMPACT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/store/snapshot.h"

struct where;

struct compact_opts {
	int64_t window_ns; /* windows that begin within such a time, by the clock, become one; 0: none do */
	size_t max_bytes; /* of memory: a segment that would not fit any more is left for the next time */
	/* Samples of windows that begin in [since, until) and match `where` are left out; `where` NULL:
	 * all of the windows. An empty range removes nothing. Where there is a range and nothing in it to
	 * remove, nothing is written. */
	int64_t remove_since_ns, remove_until_ns;
	const struct where *remove_where;
};

struct compact_result {
	size_t segments;  /* how many of those given have gone into the new one */
	size_t damaged;	  /* ... of which so many were damaged, and are kept aside */
	uint64_t removed; /* samples */
};

/*
 * The segments follow each other in time, and nobody writes them. Called under the maintenance lock.
 * On failure all is as it was. 0 or -errno.
 */
int compact(const struct dir *d, const struct snapshot_segment *segments, size_t n,
	    const struct compact_opts *opts, struct compact_result *out);

#endif
