/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every window of a range of time, once, whatever happens to the segments meanwhile. */
#ifndef KILN_STORE_VISIT_H
#define KILN_STORE_VISIT_H

#include <stdint.h>

#include "profiler/store/dir.h"
#include "profiler/store/reader.h"

struct visitor {
	/* Begins anew: a compaction has taken segments away. Called first, too. */
	int (*restart)(void *ctx);
	/* A segment; its windows follow. */
	int (*segment)(void *ctx, struct reader *r);
	/* A window that begins in the range. */
	int (*window)(void *ctx, const struct window_row *w);
};

struct visited {
	uint64_t windows, segments;
	uint64_t segments_damaged, segments_newer; /* that could not be read */
	struct reader_damage damage;		   /* of those that could */
};

/* 0, what a callback returned, -ETIME (d->read_until_ns is over), or another -errno. */
int visit(const struct dir *d, int64_t since_ns, int64_t until_ns, const struct visitor *v,
	  void *ctx, struct visited *out);
/* What to say about an error of it. */
const char *visit_error(int err);

#endif
