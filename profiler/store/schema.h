/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a segment's file looks like: an SQLite database, which `sqlite3 FILE` reads.
 *
 *	meta		what the segment is (key, value):
 *			  id		a random number, by which a segment names those it replaces
 *			  begin_unix_ns, span_ns	its windows begin in [begin, begin + span)
 *			  window_ns	0: windows as they came; else they were merged into such
 *			  full		1: it is as large as compaction makes them
 *			  sequence	higher than those of all segments that were begun before it; of a
 *					compacted one, the highest of those in it; 0 or not there: not known
 *			  state		0: being written; 1: nothing will be added; 2: compacted
 *	replaced	ids of segments whose windows are in this one: where they are still there, they
 *			do not count
 *	kinds		what a profile's samples are: sample types ("samples/count cpu/nanoseconds"),
 *			what one sample stands for, and the rest of the profile's header
 *	windows		a row a window: when, for how long, its samples and CPU time; the accounting
 *			(expected = idle + stolen + filtered + recorded + lost, all in samples), each
 *			loss by name (lost_REASON); and the samples, compressed
 *	series		the labels that people search by, a row a label. Where the value is NULL, each
 *			label set of the series has a number of its own (pid, thread_id).
 *	usage		the samples of a window by series. cpu_ns NULL: samples times the kind's period.
 *	dictionary	what windows refer to, compressed: strings (0), mappings (1), functions (2),
 *			lines (3), locations (4), stacks (5), label sets (6); `count` things of that
 *			section, numbered from `first`
 *
 * PRAGMA application_id is SCHEMA_APPLICATION_ID, PRAGMA user_version SCHEMA_VERSION.
 */
#ifndef KILN_STORE_SCHEMA_H
#define KILN_STORE_SCHEMA_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "profiler/profile/quality.h"

#define SCHEMA_APPLICATION_ID 0x4b494c4e /* "KILN" */
#define SCHEMA_VERSION	      1

enum segment_state { SEGMENT_OPEN, SEGMENT_CLOSED, SEGMENT_COMPACTED };

struct segment_head {
	int64_t id;
	int64_t begin_unix_ns, span_ns, window_ns;
	int64_t state, is_full;
	int64_t sequence;
};

/* A row of windows, but for the samples. */
struct window_row {
	int64_t id, begin_unix_ns, duration_ns;
	int64_t kind, samples, cpu_ns;
	struct quality quality; /* its blame stays empty */
};

/* In an empty database, within a transaction of the caller's. 0 or -errno. */
int schema_create(sqlite3 *db, const struct segment_head *head);
int schema_set_meta(sqlite3 *db, const char *key, int64_t value);
/* -ENOTSUP: a newer version wrote it; -ENODATA: it has just been begun, and holds nothing; -EBADMSG: it is no
 * segment. */
int schema_read_head(sqlite3 *db, struct segment_head *out);

/* A statement that adds a window. 0 or -errno. */
int schema_prepare_insert(sqlite3 *db, sqlite3_stmt **out);
int schema_bind_window(sqlite3_stmt *s, const struct window_row *w);

/* A statement that yields windows of id ?1 and above by id, and reads files that lack columns of newer
 * counters, which then are 0. */
int schema_prepare_select(sqlite3 *db, sqlite3_stmt **out);
void schema_read_window(sqlite3_stmt *s, struct window_row *out);
/* False: nobody can reckon with its time, and the row is damaged. */
bool schema_window_has_time(const struct window_row *w);

/* The samples, compressed (profiler/store/counts.h), of a statement of either kind. Those bound are
 * borrowed until it has run, those read until its next step: NULL with a length of 0. */
int schema_bind_counts(sqlite3_stmt *s, const void *data, size_t len);
const void *schema_counts(sqlite3_stmt *s, size_t *len);

#endif
