/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile's answer as text: the end of record's output and the beginning of report's. All texts
 * are whole lines without escapes, except for colour.
 */
#ifndef KILN_CLI_ANSWER_H
#define KILN_CLI_ANSWER_H

#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/table.h"

/* Rows that record prints; report has -n. */
#define ANSWER_ROWS 10

/* Appends the block at the end of a recording: quality, the n_rows functions with most self
 * time, losses with remedies, hints by binary. 0 or -ENOMEM. */
int answer_block(struct buf *out, const struct profile *p, const struct quality *q,
		 const struct term *t, size_t n_rows);

/* Appends " and 56 lost", which a count of samples does not have; nothing for 0. */
void answer_lost(struct buf *out, uint64_t n);

/* Appends one line: what was profiled, number of samples, frequency, sum of `value`, date and
 * duration. */
int answer_header(struct buf *out, const struct profile *p, size_t value);

/* One line where the profile is a part of what was recorded (quality_where()): its quality is of the whole. */
void answer_scope(struct buf *out, const struct profile *p);

/* One line where the profile was taken without root: what it lacks, and what taking it cost. */
void answer_rootless(struct buf *out, const struct profile *p, const struct quality *q);

/* Appends the shares of complete stacks and named frames, a line each, if there are any stacks
 * or frames. */
void answer_quality(struct buf *out, const struct quality *q, const struct term *t);

/* Appends a line with its remedy for each reason for losses. */
void answer_losses(struct buf *out, const struct quality *q, const struct term *t);

/* Appends a line for each binary that makes stacks or names worse, worst first. */
void answer_blame(struct buf *out, const struct quality *q);

/* Appends the table's first n_rows (0: all) in t->columns, and the number of rows left out. */
void answer_table(struct buf *out, const struct table *tab, enum table_by by, const struct term *t,
		  size_t n_rows);

/* Appends " 37.9%", six columns; "     -" if the whole is 0. */
void answer_share(struct buf *out, int64_t part, int64_t whole);

#endif
