/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells people what the agent costs: in metrics, and in the log when its frequency changes. */
#ifndef KILN_AGENT_COST_REPORT_H
#define KILN_AGENT_COST_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct governor;
struct metrics;
struct self_cost;

/* cost_ns: of self_cost_ns(). */
void cost_report_count(const struct self_cost *c, uint64_t cost_ns, struct metrics *m);
/* After governor_look(), which returned `changed`. */
void cost_report_say(const struct governor *g, const struct self_cost *c, bool changed,
		     bool was_over);

#endif
