// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/storing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/store/store.h"

#define MIB_BYTES 1048576.0
#define SIZE	  "%.1f MiB"

/* What is free, and what has to be. */
static void add_limit(char *out, size_t size, const struct store_state *st)
{
	snprintf(out, size,
		 SIZE " are free on the store's file system, and store.min_free keeps " SIZE
		      " free there, which has " SIZE,
		 (double)st->free_bytes / MIB_BYTES, (double)st->min_free_bytes / MIB_BYTES,
		 (double)st->total_bytes / MIB_BYTES);
}

static void explain(int err, const struct store_state *st, char *out, size_t size)
{
	char limit[300];

	if (err != -ENOSPC || !st || st->free_bytes >= st->min_free_bytes) {
		snprintf(out, size, "%s", strerror(-err));
		return;
	}
	add_limit(limit, sizeof(limit), st);
	snprintf(out, size, "%s; dropping all older profiles, " SIZE ", would not do, so they stay",
		 limit, (double)st->old_bytes / MIB_BYTES);
}

static enum storing_news resume(struct storing *s, uint64_t now_ns, struct why *line)
{
	if (!s->fails)
		return STORING_NO_NEWS;
	why_say(line, 0, "windows are stored again: %" PRIu64 " were lost in %.0f s", s->lost,
		(double)(now_ns - s->since_ns) / 1e9);
	*s = (struct storing){0};
	return STORING_RESUMED;
}

enum storing_news storing_take(struct storing *s, int err, const struct store_state *state,
			       uint64_t now_ns, struct why *line)
{
	bool begins = !s->fails;
	char reason[500];

	if (!err)
		return resume(s, now_ns, line);
	if (begins)
		*s = (struct storing){.fails = true, .since_ns = now_ns};
	s->lost++;
	if (!begins && now_ns - s->told_ns < STORING_REMIND_NS)
		return STORING_NO_NEWS;
	s->told_ns = now_ns;
	explain(err, state, reason, sizeof(reason));
	if (begins)
		why_say(line, 0, "windows cannot be stored: %s", reason);
	else
		why_say(line, 0, "windows still cannot be stored, %" PRIu64 " are lost: %s",
			s->lost, reason);
	return begins ? STORING_BEGAN_TO_FAIL : STORING_STILL_FAILS;
}

void storing_dropped(uint64_t segments, const struct store_state *state, struct why *line)
{
	char limit[300];

	add_limit(limit, sizeof(limit), state);
	why_say(line, 0, "%" PRIu64 " of the oldest segments went to make space: now %s", segments,
		limit);
}
