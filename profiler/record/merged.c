// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/record/merged.h"

#include <errno.h>
#include <malloc.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/collect/collector.h"
#include "profiler/profile/profile.h"

static size_t limit(const struct merged *m)
{
	return m->max_bytes ?: MERGED_MAX_BYTES;
}

/* Replaces the profile by one without labels of this key. */
static int fold(struct merged *m, const char *key)
{
	struct profile *folded;
	int err = profile_without_label(&folded, m->profile, key);

	if (err)
		return err;
	profile_free(m->profile);
	m->profile = folded;
	malloc_trim(0); /* many small blocks: glibc keeps them otherwise */
	return 0;
}

/* After folding it has to be half empty: else it would fold at every window. */
static int make_room(struct merged *m)
{
	size_t bytes = profile_bytes(m->profile);
	int err;

	if (bytes <= limit(m))
		return 0;
	err = fold(m, LABEL_TID);
	if (err)
		return err;
	m->threads_folded++;
	log_info("the profile has grown to %zu MB: thread ids so far are given up", bytes >> 20);
	if (profile_bytes(m->profile) <= limit(m) / 2)
		return 0;
	err = fold(m, LABEL_PID);
	if (err)
		return err;
	m->processes_folded++;
	log_info("process ids so far are given up, too: samples go by command");
	return profile_bytes(m->profile) <= limit(m) / 2 ? 0 : -ENOSPC;
}

int merged_add(struct merged *m, struct named_window *w)
{
	const char *why;
	int err = quality_merge(&m->quality, &w->quality);

	if (!m->profile)
		m->profile = steal_ptr(w->profile);
	else
		err = err ?: profile_merge(m->profile, w->profile, &why);
	named_window_release(w);
	return err ?: make_room(m);
}

static int add_count(struct profile *p, const char *key, unsigned times)
{
	struct buf b = {0};
	int err;

	if (!times)
		return 0;
	buf_printf(&b, "kiln.%s=%u", key, times);
	err = profile_comment(p, buf_cstr(&b));
	buf_release(&b);
	return err;
}

int merged_finish(struct merged *m)
{
	return quality_store(m->profile, &m->quality) ?:
	       add_count(m->profile, "threads_folded", m->threads_folded) ?:
	       add_count(m->profile, "processes_folded", m->processes_folded);
}

void merged_release(struct merged *m)
{
	profile_free(m->profile);
	quality_release(&m->quality);
	*m = (struct merged){0};
}
