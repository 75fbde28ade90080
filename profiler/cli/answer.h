/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile's answer as text: the end of record's output and the beginning of report's. All texts
 * are whole lines without escapes, except for colour.
 */
#ifndef KILN_CLI_ANSWER_H
#define KILN_CLI_ANSWER_H

#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/cli/table_text.h"
#include "profiler/cli/term.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

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


#endif
