/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One segment being read, also while somebody writes it, and also when it is damaged: what can be read
 * is, and what cannot is counted. The dictionary is read piece by piece when it is asked for.
 */
#ifndef KILN_STORE_READER_H
#define KILN_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/chunk.h"
#include "profiler/store/schema.h"

struct reader;
struct sqlite3;

struct reader_damage {
	uint64_t rows;	  /* places where rows could not be read */
	uint64_t windows; /* windows whose samples could not be: of these the sums are known */
	uint64_t chunks;  /* pieces of the dictionary */
};

/* All that follows shows the segment as it was now. 0; -ENOTSUP: a newer version wrote it; -EBADMSG: it
 * is no segment, or hardly one; or another -errno. */
int reader_open(struct reader **out, const char *path);
/* The same over a connection that stays the caller's. */
int reader_over(struct reader **out, struct sqlite3 *db);
void reader_close(struct reader *r);
/* Closes the file and keeps what was read of it. Then reader_resume() is next, or reader_close(). */
void reader_pause(struct reader *r);
/* Opens it again: shows the segment as it is now, and reads only what is new. -ESTALE: it is another segment;
 * or as reader_open(): then reader_close() is next. */
int reader_resume(struct reader *r, const char *path);

DEFINE_CLEANUP(reader, reader_close)

const struct segment_head *reader_head(const struct reader *r);
const struct reader_damage *reader_damage(const struct reader *r);
/* Ids of segments that this one replaces: calls back for each. 0 or -errno. */
int reader_replaced(struct reader *r, int (*each)(void *ctx, int64_t id), void *ctx);

/* --- windows, in the order of writing ------------------------------------------------------------- */

/* Back to the first one. */
int reader_rewind(struct reader *r);
/* To the first one of this id or above. */
int reader_seek(struct reader *r, int64_t id);
/* The id of the last one; 0: there is none. 0 or -errno. */
int reader_last(struct reader *r, int64_t *id);
/* 1: a window; 0: the end; or -errno. */
int reader_next(struct reader *r, struct window_row *out);
/* The samples of the window that reader_next() gave, into *out anew (empty, or of an earlier call). 0;
 * -EBADMSG: they are damaged (and counted); -ENOMEM. */
int reader_samples(struct reader *r, struct dict_window *out);
/* Its sums by series, for which samples need not be read: calls back for each. 0 or -errno. */
int reader_usage(struct reader *r, const struct window_row *w,
		 int (*each)(void *ctx, uint32_t series, int64_t samples, int64_t cpu_ns),
		 void *ctx);

/* --- what they refer to --------------------------------------------------------------------------- */

/* Things are numbered below this: what a table by number needs. */
uint32_t reader_count(const struct reader *r, enum section s);
/* A text, or a record of the section's type; NULL where it is damaged. Valid until reader_close(). */
const char *reader_string(struct reader *r, uint32_t id);
const void *reader_record(struct reader *r, enum section s, uint32_t id);
/* A label set's numbers, n_values of them. */
const int64_t *reader_values(struct reader *r, uint32_t labelset);
/* See struct series_label. */
const char *reader_series(struct reader *r, uint32_t id);
uint32_t reader_count_series(const struct reader *r);
/* The header of a kind (profiler/store/kind.h); NULL where there is none. */
const void *reader_kind(struct reader *r, int64_t id, size_t *len);
uint32_t reader_count_kinds(const struct reader *r);
/* What one sample of that kind stands for; 0 where it is not known. */
int64_t reader_period(const struct reader *r, int64_t kind);

#endif
