// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/cost_report.h"

#include <inttypes.h>

#include "profiler/agent/governor.h"
#include "profiler/agent/self_cost.h"
#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/metrics/metrics.h"

_Static_assert(METRIC_cpu_bpf - METRIC_cpu_supervisor + 1 == SELF_PARTS, "a metric for each part");
_Static_assert(GOVERNOR_LOOKS <= SELF_COST_LOOKS, "what was judged is told");

void cost_report_count(const struct self_cost *c, uint64_t cost_ns, struct metrics *m)
{
	metrics_set(m, METRIC_cpu_ns, cost_ns);
	for (int i = 0; i < SELF_PARTS; i++)
		metrics_set(m, METRIC_cpu_supervisor + i, c->part_ns[i]);
}

/* Which part costs most decides what helps: fewer samples, or fewer destinations. */
void cost_report_say(const struct governor *g, const struct self_cost *c, bool changed,
		     bool was_over)
{
	double cost = (double)g->judged_ppm / 1e4, limit = (double)g->limit_ppm / 1e4;
	struct buf parts = {0};

	if (!changed && (!g->is_over || was_over))
		return;
	self_cost_print(c, GOVERNOR_LOOKS, &parts);
	if (g->is_over && !was_over)
		log_warning("kiln uses %.2f %% of a CPU%s, more than its %.2f %%, and fewer "
			    "samples than %" PRIu64 " a second do not help: raise limits.cpu",
			    cost, buf_cstr(&parts), limit, g->hz);
	else
		log_info("kiln uses %.2f %% of a CPU%s, and may use %.2f %%: %" PRIu64
			 " samples a second from now on, of %" PRIu64,
			 cost, buf_cstr(&parts), limit, g->hz, g->wanted_hz);
	buf_release(&parts);
}
