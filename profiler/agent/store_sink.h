/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows into the store of this host, and its upkeep in a thread of its own. */
#ifndef KILN_AGENT_STORE_SINK_H
#define KILN_AGENT_STORE_SINK_H

#include "profiler/agent/window_sink.h"

struct config;
struct metrics;
struct why;

/* Opens the store that the configuration describes, which is not kept. It says when windows cannot be stored, and sets
 * the metrics of the store. On failure *why is a sentence. 0 or -errno (-EBUSY: another agent has it). */
int store_sink_open(struct window_sink **out, const struct config *c, struct metrics *metrics,
		    struct why *why);

#endif
