/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rollup fn_hour: what each function, module and service cost in an hour, whatever the number of hosts. One
 * version of an hour (`ver`) is:
 *
 *	service, func, module	a function; module also of a name that several modules have
 *	service, '', module	a module: a stack counts once for each of its modules
 *	service, '', ''		a service
 *	'', '', ''		the mark: self is the number of windows that it was made of, total their print
 *	'', '', 'rows'		self is the number of rows above
 *
 * Marks are written last. A version counts only if it has marks and all of its rows: ReplacingMergeTree takes rows
 * away from one version as soon as another one has rows of their keys, also if who makes that one never ends.
 */
#ifndef KILN_FLEET_ROLLUP_SQL_H
#define KILN_FLEET_ROLLUP_SQL_H

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/base/why.h"
#include "profiler/fleet/plan.h"

struct ch_answer;

/* suffix: of the tables, as in cost_sql.h. Each appends; 0 or -ENOMEM. */

/* What is there, and what was made of it: what, hour (since 1970), windows, print, ver, n, rows. One question, since
 * each has its price. */
int rollup_sql_look(struct buf *out, const char *suffix, const struct times *range);

struct rollup_version {
	int64_t hour_s;
	uint64_t ver;
	const char *from,
		*into; /* suffixes: a cluster's hour is made of all shards, and kept by one */
};
/* All rows but the marks, by one look at the samples. */
int rollup_sql_make(struct buf *out, const struct rollup_version *v, struct why *why);
/* Count of what that has written, as n: in a cluster by whichever server. */
int rollup_sql_count(struct buf *out, const struct rollup_version *v);
int rollup_sql_mark(struct buf *out, const struct rollup_version *v, const struct hour_print *of,
		    uint64_t n_rows);

/* --- answers -------------------------------------------------------------------------------------- */

struct rollup_look {		      /* all-zero is empty */
	VEC(struct hour_print) there; /* by hour, each once */
	VEC(struct hour_mark) made;   /* whole versions, by hour and version */
};
/* 0, -EBADMSG with a sentence, or -ENOMEM. */
int rollup_read_look(struct rollup_look *out, const struct ch_answer *a, struct why *why);
void rollup_look_release(struct rollup_look *l);

#endif
