/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be forgotten: by time, and by label. */
#ifndef KILN_STORE_REMOVE_H
#define KILN_STORE_REMOVE_H

#include <stdint.h>

#include "profiler/store/store.h"

struct store_removal {
	uint64_t samples;  /* gone */
	uint64_t segments; /* that had any of the range */
	/* Segments in the range that could not be looked into: damaged ones, or of a newer version. They
	 * are as they were, unless all of their time was to go. */
	uint64_t segments_left;
};

/*
 * Removes windows that begin in [since, until); with `where` (profiler/store/where.h) only their samples
 * that match, which then count as filtered. Losses stay. The store was opened for writing - then this is
 * called by the thread that appends, and what comes next goes into a new segment - or for editing, beside
 * a process that appends or alone. Freed bytes of a segment that is being written are zeroed at once and
 * given back when it is compacted. 0; -EBUSY: somebody else compacts or removes, for ten seconds now;
 * -EINVAL; or another -errno, with a sentence: what is gone is gone, and it may be called again.
 */
int store_remove(struct store *s, int64_t since_ns, int64_t until_ns, const char *where,
		 struct store_removal *out, struct why *why);

#endif
