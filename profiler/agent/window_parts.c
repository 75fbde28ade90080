// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/window_parts.h"

#include <inttypes.h>

#include "profiler/agent/labels.h"
#include "profiler/agent/window_sink.h"
#include "profiler/collect/collector.h"
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

static int store(struct window_parts *w, struct window_sink *sink)
{
	struct profile *p = w->merged.profile;
	int err;

	if (!p)
		return 0;
	p->time_ns = w->begin_unix_ns;
	p->duration_ns = (int64_t)w->duration_ns;
	err = merged_finish(&w->merged);
	return err ?: sink->append(sink, p, &w->merged.quality, w->begin_unix_ns, w->duration_ns);
}

int window_parts_store(struct window_parts *w, struct window_sink *sink)
{
	int err = store(w, sink);

	window_parts_release(w);
	return err;
}

void window_parts_release(struct window_parts *w)
{
	merged_release(&w->merged);
	*w = (struct window_parts){0};
}
