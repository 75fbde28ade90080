// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/host_sql.h"

#include <inttypes.h>

#include "profiler/fleet/cost_sql.h"

int host_sql_functions(struct buf *out, const struct cost_scope *s, enum costs_order order,
		       struct why *why)
{
	int err;

	buf_str(out, "SELECT " COST_SQL_NAME " AS name, " COST_SQL_MODULE
		     " AS module, CAST(machine AS String) AS service, self_ns, total_ns FROM (\n"
		     "SELECT machine, id, self_ns, total_ns FROM (\n"
		     "SELECT machine, id, sum(if(id = frames[1], v, 0)) AS self_ns, sum(v) AS "
		     "total_ns FROM ");
	err = cost_sql_stacks(out, s, "host AS machine, ", "machine, ", why);
	buf_printf(
		out,
		" AS c\nARRAY JOIN arrayDistinct(frames) AS id GROUP BY machine, id) AS d\n"
		"ANY LEFT JOIN (SELECT host AS machine, sum(value) AS all_ns FROM samples%s WHERE ",
		s->suffix);
	err = err ?: cost_sql_samples(out, s, why);
	buf_printf(out,
		   " GROUP BY machine) AS f USING (machine)\n"
		   "WHERE %s >= intDiv(all_ns, %d)) AS g\nANY LEFT JOIN ",
		   order == COSTS_BY_SELF ? "self_ns" : "total_ns", HOST_LEAST_PART);
	cost_sql_functions(out, s);
	buf_str(out, " AS h USING (id)");
	return err ?: out->err;
}

int host_sql_durations(struct buf *out, const struct cost_scope *s)
{
	const struct plan *p = s->plan;

	buf_printf(out,
		   "SELECT CAST(host AS String) AS name, '' AS module, '' AS service, "
		   "toInt64(sum(duration_ns)) AS self_ns, self_ns AS total_ns FROM (\n"
		   "SELECT DISTINCT host, time, id, duration_ns FROM windows%s WHERE time >= "
		   "toDateTime(%" PRId64 ") AND time < toDateTime(%" PRId64 ")) AS w GROUP BY host",
		   s->suffix, p->samples.len ? p->samples.data[0].since_s : 0,
		   p->samples.len ? vec_last(&p->samples).until_s : 0);
	return out->err;
}
