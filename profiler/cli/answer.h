/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile's answer as text: what record prints at its end and report at its beginning. All texts
 * are whole lines, clean of escapes but for colour.
 */
#ifndef KILN_CLI_ANSWER_H
#define KILN_CLI_ANSWER_H

#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/cli/term.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/table.h"

/* Rows record shows; report has -n. */
#define ANSWER_ROWS 10

/* The block record ends with: quality, the n_rows functions with most time of their own, losses and
 * what to do about them, hints by binary. 0 or -ENOMEM. */
int answer_block(struct buf *out, const struct profile *p, const struct quality *q,
		 const struct term *t, size_t n_rows);

/* One line: who, how many samples, how often, how much of `value`, when and for how long. */
int answer_header(struct buf *out, const struct profile *p, size_t value);

/* Shares of complete stacks and named frames, a line each; nothing of what there was none. */
void answer_quality(struct buf *out, const struct quality *q, const struct term *t);

/* A line per way samples were lost, with its cure; nothing if none were. */
void answer_losses(struct buf *out, const struct quality *q, const struct term *t);

/* A line per binary whose stacks or names could be better, worst first. */
void answer_blame(struct buf *out, const struct quality *q);

/* The table's first n_rows (0: all) in t->columns, and how many are left out. */
void answer_table(struct buf *out, const struct table *tab, enum table_by by, const struct term *t,
		  size_t n_rows);

/* " 37.9%", six columns; "     -" of nothing. */
void answer_share(struct buf *out, int64_t part, int64_t whole);

#endif
