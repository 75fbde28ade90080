/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether windows can be stored, and what is to be said of it: seldom, and with figures. Pure: the clock and the store
 * are the caller's. */
#ifndef KILN_AGENT_STORING_H
#define KILN_AGENT_STORING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/why.h"

struct store_state;

#define STORING_REMIND_NS (600 * 1000000000ull)

struct storing { /* all-zero: windows can be stored */
	bool fails;
	uint64_t since_ns, told_ns; /* when that began, and was said last */
	uint64_t lost;		    /* windows since then */
};

enum storing_news { STORING_NO_NEWS, STORING_BEGAN_TO_FAIL, STORING_STILL_FAILS, STORING_RESUMED };

/* Takes what became of a window (0 or -errno), and how the store was then (NULL: nobody knows). If that is worth a
 * line, it is in *line. */
enum storing_news storing_take(struct storing *s, int err, const struct store_state *state,
			       uint64_t now_ns, struct why *line);

/* The line that tells of segments dropped to make space. */
void storing_dropped(uint64_t segments, const struct store_state *state, struct why *line);

#endif
