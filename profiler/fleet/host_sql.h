/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hosts cost, each for itself. As cost_sql.h. */
#ifndef KILN_FLEET_HOST_SQL_H
#define KILN_FLEET_HOST_SQL_H

#include "profiler/base/buf.h"
#include "profiler/base/why.h"
#include "profiler/fleet/costs.h"

struct cost_scope;

/* Rows of less than this part of a host's time are left out: a host has at most so many. */
#define HOST_LEAST_PART 1000

/* Columns as cost_sql(), with the host in place of the service. order: whose least part counts. */
int host_sql_functions(struct buf *out, const struct cost_scope *s, enum costs_order order,
		       struct why *why);
/* The time for which each host was sampled, in self_ns and total_ns: name is the host. */
int host_sql_durations(struct buf *out, const struct cost_scope *s);

#endif
