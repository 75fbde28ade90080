/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a profile is of and how far to trust it, as text: whole lines without escapes, except for colour. Where time
 * went is in summary.h.
 */
#ifndef KILN_CLI_ANSWER_H
#define KILN_CLI_ANSWER_H

#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

/* Appends " and 56 lost", which a count of samples does not have; nothing for 0. */
void answer_lost(struct buf *out, uint64_t n);

/* Appends one line: what was profiled, number of samples, frequency, sum of `value`, date and
 * duration. */
int answer_header(struct buf *out, const struct profile *p, size_t value, const struct term *t);

/* One line where the profile is a part of what was recorded (quality_where()): its quality is of the whole. */
void answer_scope(struct buf *out, const struct profile *p, const struct term *t);

/* One line where the profile was taken without root: what it lacks, and what taking it cost. */
void answer_rootless(struct buf *out, const struct profile *p, const struct quality *q,
		     const struct term *t);

/* Appends a line with the shares of complete stacks and named frames, if there are any. */
void answer_quality(struct buf *out, const struct quality *q, const struct term *t);

/* Appends a line with its remedy for each reason for losses. */
void answer_losses(struct buf *out, const struct quality *q, const struct term *t);

#endif
