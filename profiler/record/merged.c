// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/record/merged.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/saturate.h"
#include "profiler/collect/named_window.h"
#include "profiler/profile/profile.h"

static size_t limit(const struct merged *m)
{
	return m->max_bytes ?: MERGED_MAX_BYTES;
}

/* Shares of all samples. */
#define RARE   10000
#define COMMON 100

/* Steps of folding, in this order. `say` follows "the profile has grown to N MB: ". */
static const struct step {
	const char *say, *label; /* key of the labels to drop, or NULL: */
	int how;
	uint32_t depth, share; /* rare is what has less than 1/share of all samples */
	size_t count;	       /* offset of its counter */
} steps[] = {
#define LABEL(say, key, counter)                                                                   \
	{                                                                                          \
		say, key, 0, 0, 0, offsetof(struct merged, counter)                                \
	}
#define LINES(say, share)                                                                          \
	{                                                                                          \
		say, NULL, FOLD_LINES, 0, share, offsetof(struct merged, lines_folded)             \
	}
#define CALLERS(say, depth, share)                                                                 \
	{                                                                                          \
		say, NULL, FOLD_CALLERS, depth, share, offsetof(struct merged, callers_folded)     \
	}
	LABEL("samples so far lose their thread ids", LABEL_TID, threads_folded),
	LABEL("samples so far lose their process ids", LABEL_PID, processes_folded),
	LINES("rare addresses so far lose their lines", RARE),
	CALLERS("rare stacks so far keep 16 frames", 16, RARE),
	CALLERS("rare stacks so far keep 4 frames", 4, RARE),
	CALLERS("rare stacks so far keep 1 frame", 1, RARE),
	/* Few samples, all different: each is much of the whole. */
	LINES("addresses below 1 % so far lose their lines", COMMON),
	CALLERS("stacks below 1 % so far keep 16 frames", 16, COMMON),
	CALLERS("stacks below 1 % so far keep 1 frame", 1, COMMON),
};
#define N_STEPS (sizeof(steps) / sizeof(*steps))

static int fold(struct profile **p, const struct step *s, int64_t rare, uint64_t *n)
{
	struct profile_fold how = {s->how, s->depth, rare};
	struct profile *folded;
	int err;

	if (!*p)
		return 0;
	err = s->label ? profile_without_label(&folded, *p, s->label)
		       : profile_fold(&folded, *p, &how, n);
	if (err)
		return err;
	profile_free(*p);
	*p = folded;
	return 0;
}

/* What is rare is so in both together. */
static int64_t rare_weight(const struct merged *m, const struct profile *window,
			   const struct step *s)
{
	int64_t all = m->profile ? profile_weight(m->profile) : 0;

	all = window ? saturating_sum(all, profile_weight(window)) : all;
	return s->share ? all / s->share + 1 : 0;
}

static int fold_both(struct merged *m, struct profile **window, const struct step *s)
{
	uint64_t *count = (uint64_t *)((char *)m + s->count), n = 0, of_window = 0;
	int64_t rare = rare_weight(m, *window, s);
	int err = fold(&m->profile, s, rare, &n) ?: fold(window, s, rare, &of_window);

	*count += s->label ? 1 : n + of_window;
	malloc_trim(0); /* glibc keeps many small freed blocks otherwise */
	return err;
}

static size_t bytes_of(const struct profile *p)
{
	return p ? profile_bytes(p) : 0;
}

/* Whether the next step is not worth its price. Half of the room should be free, otherwise every window
 * folds again; but not if common stacks pay for it. */
static bool is_enough(const struct merged *m, size_t bytes, const struct step *next)
{
	return bytes <= (next->share == COMMON ? limit(m) / 4 * 3 : limit(m) / 2);
}

static int make_room(struct merged *m, struct profile **window)
{
	size_t bytes = bytes_of(m->profile) + bytes_of(*window);

	if (bytes <= limit(m))
		return 0;
	for (size_t i = 0; i < N_STEPS && (!i || !is_enough(m, bytes, &steps[i])); i++) {
		int err = fold_both(m, window, &steps[i]);

		if (err)
			return err;
		log_info("the profile has grown to %zu MB: %s", bytes >> 20, steps[i].say);
		bytes = bytes_of(m->profile) + bytes_of(*window);
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
