/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rollup fn_hour: what each function, module and service cost in an hour, whatever the number of hosts. One
 * version of an hour (`ver`) is:
 *
 *	service, func, module	a function; module also of a name that several modules have
 *	service, '', module	a module: a stack counts once for each of its modules
 *	service, '', ''		a service
 *	'', '', 'begin'		the mark of its beginning
 *	'', '', ''		the mark of its end: self is the number of windows that it was made of, total their print
 *
 * ReplacingMergeTree takes rows away from one version as soon as a newer one has rows of their keys, also if who makes
 * that one never ends. So a version counts only if it has ended, and none has begun with a higher number. The first
 * mark is written before the rows, and the other one after them.
 */
#ifndef KILN_FLEET_ROLLUP_SQL_H
#define KILN_FLEET_ROLLUP_SQL_H

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/base/why.h"
#include "profiler/fleet/plan.h"

struct ch_answer;

/* suffix: of the tables, as in cost_sql.h. Each appends; 0 or -ENOMEM. */

/* What is there, and what was made of it: what, hour (since 1970), windows, print, ver, done. One question, since each
 * has its price. */
int rollup_sql_look(struct buf *out, const char *suffix, const struct times *range);

struct rollup_version {
	int64_t hour_s;
	uint64_t ver;
	const char *from,
		*into; /* suffixes: a cluster's hour is made of all shards, and kept by one */
};
/* All rows but the marks, by one look at the samples. */
int rollup_sql_make(struct buf *out, const struct rollup_version *v, struct why *why);
/* The marks before and after it. */
int rollup_sql_begin(struct buf *out, const struct rollup_version *v);
int rollup_sql_end(struct buf *out, const struct rollup_version *v, const struct hour_print *of);

/* --- answers -------------------------------------------------------------------------------------- */

struct rollup_look {		      /* all-zero is empty */
	VEC(struct hour_print) there; /* by hour, each once */
	VEC(struct hour_mark) made;   /* whole versions, by hour and version */
};
/* 0, -EBADMSG with a sentence, or -ENOMEM. */
int rollup_read_look(struct rollup_look *out, const struct ch_answer *a, struct why *why);
void rollup_look_release(struct rollup_look *l);

#endif
