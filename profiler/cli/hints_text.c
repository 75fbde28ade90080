// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/hints_text.h"

/* Reports binaries that spoil at least this share of all frames or stacks, in at most so many
 * lines. */
#define BLAME_PER_MILLE 5
#define BLAME_LINES	5

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void add_blame(struct buf *out, const struct quality_blame *b, const struct quality *q)
{
	uint64_t stacks = q->user_complete + q->user_truncated + q->user_missing;

	buf_printf(out, "note: %s:", b->module);
	if (b->unnamed)
		buf_printf(out, " %.0f %% of its frames without a name (%.1f %% of all frames)",
			   percent(b->unnamed, b->frames), percent(b->unnamed, q->frames));
	if (b->broken)
		buf_printf(out, "%s %.1f %% of all stacks are cut off in it", b->unnamed ? "," : "",
			   percent(b->broken, stacks));
	if (b->hint)
		buf_printf(out, ". %s", b->hint);
	buf_char(out, '\n');
}

void answer_blame(struct buf *out, const struct quality *q)
{
	uint64_t stacks = q->user_complete + q->user_truncated + q->user_missing;
	size_t lines = 0;

	for (size_t i = 0; i < q->blame.len && lines < BLAME_LINES; i++) {
		const struct quality_blame *b = &q->blame.data[i];

		if (percent(b->unnamed, q->frames) * 10 < BLAME_PER_MILLE &&
		    percent(b->broken, stacks) * 10 < BLAME_PER_MILLE)
			continue;
		add_blame(out, b, q);
		lines++;
	}
}
