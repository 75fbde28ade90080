/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions about costs as SQL that ClickHouse 18.16 and newer ones know: no WITH, no windows, no parameters. Texts of
 * people are quoted (profiler/clickhouse/ch_text.h), and nothing of them is ever SQL.
 *
 * A stack that the server does not have is the function "[stack missing]": a value is never lost.
 */
#ifndef KILN_FLEET_COST_SQL_H
#define KILN_FLEET_COST_SQL_H

#include <stdbool.h>

#include "profiler/base/buf.h"
#include "profiler/base/why.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/fleet/costs.h"
#include "profiler/fleet/plan.h"
#include "profiler/profile/profile.h"

struct where;

#define COST_BY_WORDS "function|module|service|host"
enum cost_by { COST_FUNCTION, COST_MODULE, COST_SERVICE, COST_HOST };

struct cost_scope { /* borrowed */
	const struct plan *plan;
	const struct where *where; /* or NULL */
	const char *suffix;	   /* of the tables: "", or CH_LOCAL for those of one shard */
	int64_t split_s;	   /* what is before is of the period before; 0: one period */
};

struct cost_question {
	struct cost_scope scope;
	enum cost_by by;
	bool of_service; /* functions and modules: a row for each service that has them */
	enum costs_order order;
	size_t limit; /* 0: all rows. Of several servers all are needed */
	/* Rows of functions and modules: also the sum of everything, in rows whose column whole is 1, by the same look
	 * at the samples. Not with others, whose rows add up to it. */
	bool with_whole;
};

/* Whether a rollup, which knows services alone, can answer. */
bool cost_fits_rollup(const struct where *where, enum cost_by by);

/* Columns: name, module, service (the last two "" where rows have none), self_ns, total_ns, with a split
 * self_before_ns, total_before_ns, and whole. Of its rows total_ns (total_before_ns) is the sum; there are as many as
 * services, or one. 0, or with a sentence: -EINVAL (a label that is not kept), -ENOMEM. */
int cost_sql(struct buf *out, const struct cost_question *q, struct why *why);

/* --- pieces for other questions; each appends, and returns as above ------------------------------- */

/* A subquery's text with the columns sv, fn, md (service, function, module; "" where rows have none), s1, t1 (self,
 * total), with a split s2, t2, and k (whole). Several rows may be equal. */
int cost_sql_rows(struct buf *out, const struct cost_question *q, struct why *why);
/* Of a scope: "type = 'cpu/nanoseconds' AND (time ...) AND ..." */
int cost_sql_samples(struct buf *out, const struct cost_scope *s, struct why *why);
/*
 * What follows FROM: rows with the columns `names`, hash, v (with a split also w: before), and frames, an array of
 * ids of functions, leaf first. keys: "service AS svc, ", names: COST_SQL_OF_SERVICE; or another column likewise;
 * or "" both.
 */
#define COST_SQL_OF_SERVICE "svc, "
int cost_sql_stacks(struct buf *out, const struct cost_scope *s, const char *keys,
		    const char *names, struct why *why);
/* A subquery's text with the columns id, name, file ("" for both where there is no such function). */
void cost_sql_functions(struct buf *out, const struct cost_scope *s);
/* How an id of it is called: expressions of id, name and file. */
#define COST_SQL_NAME                                                                              \
	"if(id = 0, '" FRAME_NO_STACK "', if(name = '', '" FRAME_NO_FUNCTION "', name))"
#define COST_SQL_MODULE "if(name = '', '" MAPPING_KILN "', file)"
/* " AND hour ... AND ver IN (...)": the rollup's hours of a plan that has some. No two have one version. */
void cost_sql_hours(struct buf *out, const struct plan *p);

#endif
