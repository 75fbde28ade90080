/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the agent's windows go. */
#ifndef KILN_AGENT_WINDOW_SINK_H
#define KILN_AGENT_WINDOW_SINK_H

#include <stdint.h>

struct profile;
struct quality;

struct window_sink {
	/* One window, which is the caller's. 0; -ESTALE: neither is it stored, nor will others be before it is
	 * opened again; or another -errno: it is not stored, and the next may be. */
	int (*append)(struct window_sink *s, const struct profile *p, const struct quality *q,
		      int64_t begin_unix_ns, uint64_t duration_ns);
	/* Everything is stored that was appended, and s is freed. */
	void (*close)(struct window_sink *s);
};

#endif
