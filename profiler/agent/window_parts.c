// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/window_parts.h"

#include <inttypes.h>

#include "profiler/agent/labels.h"
#include "profiler/agent/outbox.h"
#include "profiler/collect/collector.h"
#include "profiler/collect/losses.h"
#include "profiler/profile/profile.h"

int window_parts_take(struct window_parts *w, struct collector *c, bool last, uint64_t absent_ns)
{
	struct named_window part;
	int err = collector_end_window(c, last, &part);

	if (err)
		return err;
	part.duration_ns -= absent_ns < part.duration_ns ? absent_ns : part.duration_ns;
	part.profile->duration_ns = (int64_t)part.duration_ns;
	if (!w->merged.profile)
		w->begin_unix_ns = part.begin_unix_ns;
	w->duration_ns += part.duration_ns;
	return merged_add(&w->merged, &part);
}

int window_parts_note(struct window_parts *w, const char *key, int64_t value)
{
	if (!w->merged.profile)
		return 0;
	return profile_commentf(w->merged.profile, "kiln.%s=%" PRId64, key, value);
}

int window_parts_label(struct window_parts *w, struct labels *labels, const pid_t *own, size_t n)
{
	if (!w->merged.profile)
		return 0;
	return labels_apply(labels, w->merged.profile, &w->merged.quality, own, n);
}

int window_parts_add_lost(struct window_parts *w, struct quality *lost)
{
	struct quality not_stored = {0};
	struct profile *p = w->merged.profile;
	int err;

	if (!p)
		return 0;
	/* The others are in the profile as frames where they were lost. */
	not_stored.lost[LOSS_not_stored] = lost->lost[LOSS_not_stored];
	err = losses_add(p, &not_stored, (uint64_t)p->period, false);
	if (err)
		return err;
	quality_add(&w->merged.quality, lost);
	*lost = (struct quality){0};
	return 0;
}

static int store(struct window_parts *w, struct outbox *outbox)
{
	struct profile *p = w->merged.profile;
	int err;

	if (!p)
		return 0;
	p->time_ns = w->begin_unix_ns;
	p->duration_ns = (int64_t)w->duration_ns;
	err = merged_finish(&w->merged);
	return err ?: outbox_put(outbox, p, &w->merged.quality, w->begin_unix_ns, w->duration_ns);
}

int window_parts_store(struct window_parts *w, struct outbox *outbox)
{
	int err = store(w, outbox);

	window_parts_release(w);
	return err;
}

void window_parts_release(struct window_parts *w)
{
	merged_release(&w->merged);
	*w = (struct window_parts){0};
}
