/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which segments hold a range of time just now. A compaction puts a segment in the place of others and
 * then removes those: a segment that another one replaces does not count.
 */
#ifndef KILN_STORE_SNAPSHOT_H
#define KILN_STORE_SNAPSHOT_H

#include <stdint.h>

#include "profiler/store/dir.h"
#include "profiler/store/schema.h"

/* A segment covers no more than this, so that one is found by the time in its name. */
#define SNAPSHOT_MAX_SPAN_NS (24 * 3600000000000ll)
/* What is assumed of one that cannot be read. */
#define SNAPSHOT_USUAL_SPAN_NS 3600000000000ll

struct snapshot_segment {
	struct dir_entry file;
	struct segment_head head; /* where err is not 0: its time, as far as its name tells */
	/* -EBADMSG: damaged; -ENOTSUP: newer; -ENODATA: just begun; or it could not be opened */
	int err;
	bool is_replaced;
};

struct snapshot {
	VEC(struct snapshot_segment) v; /* by time */
};

/* Those that may hold windows in [since, until). 0 or -errno. */
int snapshot_take(struct snapshot *out, const struct dir *d, int64_t since_ns, int64_t until_ns);
void snapshot_release(struct snapshot *s);

#endif
