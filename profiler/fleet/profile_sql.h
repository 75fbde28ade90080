/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A range as one profile, and what there is of it as rows. As cost_sql.h. */
#ifndef KILN_FLEET_PROFILE_SQL_H
#define KILN_FLEET_PROFILE_SQL_H

#include <stdbool.h>

#include "profiler/base/buf.h"
#include "profiler/base/why.h"
#include "profiler/fleet/filter.h"
#include "profiler/fleet/plan.h"

struct profile_scope { /* borrowed */
	struct times range;
	const struct where *where;     /* or NULL */
	const char *suffix;	       /* of the tables */
	bool without[FILTER_N_LABELS]; /* labels that are not asked for: fewer rows */
};

/* Columns: type, l0, l1, ... (of filter_labels; "" where it is not asked for), hash, value. */
int profile_sql_samples(struct buf *out, const struct profile_scope *s, struct why *why);
/* hash, funcs, lines: of those samples. */
int profile_sql_stacks(struct buf *out, const struct profile_scope *s, struct why *why);
/* id, name, module, source, build: of those stacks. */
int profile_sql_functions(struct buf *out, const struct profile_scope *s, struct why *why);
/* One row: windows, begin_at, end_at (ns), least_period_ns, most_period_ns, all_lost, and all_X of these columns. Of
 * the hosts in `where`, whatever else it says: a window is of all its samples. */
int profile_sql_windows(struct buf *out, const struct profile_scope *s, struct why *why);
#define PROFILE_QUALITY_COLUMNS(X)                                                                 \
	X(expected)                                                                                \
	X(idle)                                                                                    \
	X(stolen)                                                                                  \
	X(filtered)                                                                                \
	X(recorded)                                                                                \
	X(user_complete)                                                                           \
	X(user_truncated) X(user_missing) X(kernel_missing) X(frames) X(frames_named)

/* Rows: begin_s (0: by a label), name, cpu_ns. step_s 0: by label, one of filter_labels' columns. offset_s: steps
 * begin at multiples before it was added; not negative. */
struct rows_question {
	const char *column;
	int64_t step_s, offset_s;
};
int profile_sql_rows(struct buf *out, const struct profile_scope *s, const struct rows_question *q,
		     struct why *why);
/* Rows: begin_s, windows, all_lost. By time alone. */
int profile_sql_window_rows(struct buf *out, const struct profile_scope *s,
			    const struct rows_question *q, struct why *why);

#endif
