// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/record/merged.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/collect/named_window.h"
#include "profiler/profile/profile.h"

static size_t limit(const struct merged *m)
{
	return m->max_bytes ?: MERGED_MAX_BYTES;
}

/* Steps of folding, in this order. `say` follows "the profile has grown to N MB: ". */
static const struct step {
	const char *say, *label; /* key of the labels to drop, or NULL: */
	enum profile_fold how;
	uint32_t depth;
	size_t count; /* offset of its counter */
} steps[] = {
	{"samples so far lose their thread ids", LABEL_TID, 0, 0,
	 offsetof(struct merged, threads_folded)},
	{"samples so far lose their process ids", LABEL_PID, 0, 0,
	 offsetof(struct merged, processes_folded)},
	{"rare addresses so far lose their lines", NULL, FOLD_LINES, 0,
	 offsetof(struct merged, lines_folded)},
	{"rare stacks so far keep 16 frames", NULL, FOLD_CALLERS, 16,
	 offsetof(struct merged, callers_folded)},
	{"rare stacks so far keep 4 frames", NULL, FOLD_CALLERS, 4,
	 offsetof(struct merged, callers_folded)},
	{"rare stacks so far keep 1 frame", NULL, FOLD_CALLERS, 1,
	 offsetof(struct merged, callers_folded)},
};

static int fold(struct profile **p, const struct step *s, uint64_t *n)
{
	struct profile *folded;
	int err;

	if (!*p)
		return 0;
	err = s->label ? profile_without_label(&folded, *p, s->label)
		       : profile_fold(&folded, *p, s->how, s->depth, n);
	if (err)
		return err;
	profile_free(*p);
	*p = folded;
	return 0;
}

static int fold_both(struct merged *m, struct profile **window, const struct step *s)
{
	uint64_t *count = (uint64_t *)((char *)m + s->count), n = 0, of_window = 0;
	int err = fold(&m->profile, s, &n) ?: fold(window, s, &of_window);

	*count += s->label ? 1 : n + of_window;
	malloc_trim(0); /* glibc keeps many small freed blocks otherwise */
	return err;
}

static size_t bytes_of(const struct profile *p)
{
	return p ? profile_bytes(p) : 0;
}

/* Folds until half of the room is free. Otherwise every window would fold again. */
static int make_room(struct merged *m, struct profile **window)
{
	size_t bytes = bytes_of(m->profile) + bytes_of(*window);

	if (bytes <= limit(m))
		return 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int err = fold_both(m, window, &steps[i]);

		if (err)
			return err;
		log_info("the profile has grown to %zu MB: %s", bytes >> 20, steps[i].say);
		bytes = bytes_of(m->profile) + bytes_of(*window);
		if (bytes <= limit(m) / 2)
			return 0;
	}
	return bytes <= limit(m) ? 0 : -ENOSPC;
}

/* Both are folded apart, before the merge: a fold is a copy, and the parts are smaller than the whole. */
int merged_add(struct merged *m, struct named_window *w)
{
	struct profile *none = NULL;
	const char *why;
	int err = quality_merge(&m->quality, &w->quality) ?: make_room(m, &w->profile);

	if (err == -ENOSPC)
		err = 0; /* together they may have room */
	if (!m->profile)
		m->profile = steal_ptr(w->profile);
	else
		err = err ?: profile_merge(m->profile, w->profile, &why);
	named_window_release(w);
	return err ?: make_room(m, &none);
}

static int add_count(struct profile *p, const char *key, uint64_t times)
{
	if (!times)
		return 0;
	return profile_commentf(p, "kiln.%s=%llu", key, (unsigned long long)times);
}

int merged_finish(struct merged *m)
{
	return quality_store(m->profile, &m->quality) ?:
	       add_count(m->profile, "threads_folded", m->threads_folded) ?:
	       add_count(m->profile, "processes_folded", m->processes_folded) ?:
	       add_count(m->profile, "lines_folded", m->lines_folded) ?:
	       add_count(m->profile, "callers_folded", m->callers_folded);
}

void merged_release(struct merged *m)
{
	profile_free(m->profile);
	quality_release(&m->quality);
	*m = (struct merged){0};
}
