/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The windows of a store one by one, in the order in which they were written, from a place on: for who sends
 * them elsewhere. Works while the store is written, compacted and cut. Nothing is open between two calls, unless
 * spool_hold() asks for it, and of the segment that is being written only what is new is read.
 */
#ifndef KILN_STORE_SPOOL_H
#define KILN_STORE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/quality.h"
#include "profiler/store/store.h"

struct profile;

/* Behind a window. All 0: before the first. */
struct spool_place {
	int64_t segment;  /* segment_head.id */
	int64_t sequence; /* of the segment: where to go on when it is gone */
	int64_t row;	  /* window_row.id */
	int64_t window_ns; /* when it began: by that it is found in a segment that replaces this one */
};

struct spool_window {
	struct profile *profile; /* with its time and duration */
	struct quality quality;
	int64_t begin_ns;
	uint64_t duration_ns;
	uint64_t id[2]; /* the same each time, unless its segment is compacted meanwhile */
	struct spool_place behind;
	/* Windows between the place and this one that the store has no more, or merged into coarser ones (which are
	 * not given): as far as that can be known, at least 1 if there were any. */
	uint64_t gone;
	uint64_t bytes; /* on disk, roughly */
	bool is_last;	/* there was none behind it */
};
void spool_window_release(struct spool_window *w);

struct spool;
/* Borrows the store, which is open for reading. 0 or -ENOMEM. */
int spool_open(struct spool **out, struct store *s);
void spool_close(struct spool *s);
DEFINE_CLEANUP(spool, spool_close)

/* For several calls at once: until spool_rest() a segment that was read stays open, and is read as it was then. */
void spool_hold(struct spool *s);
void spool_rest(struct spool *s);

/*
 * The first window behind a place that begins at since_ns or later; earlier ones are skipped and counted in
 * *too_old. 1: it is there; 0: there is none yet; -EBADMSG: it cannot be given. In these three cases out->behind
 * says where to go on, and out->gone and *too_old are of the way there. -EAGAIN: the segment cannot be read just
 * now; or another -errno.
 */
int spool_next(struct spool *s, const struct spool_place *at, int64_t since_ns,
	       struct spool_window *out, uint64_t *too_old);
/* Windows and bytes behind a place, and when the first of them began (0: there is none). Coarser ones, and those
 * that cannot be read, do not count. 0 or -errno. */
int spool_waiting(struct spool *s, const struct spool_place *at, uint64_t *windows, uint64_t *bytes,
		  int64_t *oldest_ns);
/* The place behind the newest window: for who begins now. 0 or -errno. */
int spool_end(struct spool *s, struct spool_place *out);

#endif
