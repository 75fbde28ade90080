/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows to put into stores, and what they add up to by profile_merge(), which shares no code with
 * the store. */
#ifndef KILN_TESTS_STORE_H
#define KILN_TESTS_STORE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "profiler/profile/quality.h"
#include "profiler/store/query.h"
#include "profiler/store/store.h"
#include "tests/lib/profiles.h"

#define SECOND	1000000000ll
#define MINUTE	(60 * SECOND)
#define HOUR	(60 * MINUTE)
#define T0	(1795824000 * SECOND) /* 2026-11-28 00:00:00 UTC: an hour begins */
#define T0_NAME "20261128T000000Z.kiln"

static inline struct store *open_store(const char *path, const struct store_opts *opts)
{
	struct why why = {""};
	struct store *s;
	int err = store_open(&s, path, opts, &why);

	if (err) {
		fprintf(stderr, "%s: %d %s\n", path, err, why.text);
		abort();
	}
	return s;
}

struct window {
	struct profile *profile;
	struct quality quality;
	int64_t begin_ns;
	uint64_t duration_ns;
};

/* Windows that have much in common with those of near seeds. */
static inline struct window random_window(uint64_t seed, int64_t begin_ns, uint64_t duration_ns)
{
	struct window w = {random_profile(seed % 5, 1 + (uint32_t)(seed * 7 % 40)),
			   {0},
			   begin_ns,
			   duration_ns};

	w.quality.expected = 1000 + seed;
	w.quality.idle = seed;
	w.quality.recorded = 990;
	w.quality.lost[LOSS_map_full] = 10;
	if (seed & 1)
		vec_push(&w.quality.blame, (struct quality_blame){strdup("libc.so.6"), seed, 1, 2,
								  strdup("install symbols")});
	w.profile->time_ns = begin_ns;
	w.profile->duration_ns = (int64_t)duration_ns;
	return w;
}

static inline void window_release(struct window *w)
{
	profile_free(w->profile);
	quality_release(&w->quality);
}

static inline int append_window(struct store *s, const struct window *w)
{
	return store_append(s, w->profile, &w->quality, w->begin_ns, w->duration_ns);
}

/* What windows of [since, until) add up to, with labels that keep() accepts. */
static inline struct profile *merge_windows(const struct window *w, size_t n, int64_t since,
					    int64_t until, struct quality *q)
{
	struct profile *sum = profile_new();
	const char *why = "";

	for (size_t i = 0; i < n; i++) {
		if (w[i].begin_ns < since || w[i].begin_ns >= until)
			continue;
		MUST(profile_merge(sum, w[i].profile, &why));
		if (q)
			MUST(quality_merge(q, &w[i].quality));
	}
	return sum;
}

static inline struct store_result query_store(struct store *s, int64_t since, int64_t until,
					      const char *where)
{
	struct store_query q = {.since_ns = since, .until_ns = until, .where = where};
	struct why why = {""};
	struct store_result r;
	int err = store_query(s, &q, &r, &why);

	if (err) {
		fprintf(stderr, "query: %d %s\n", err, why.text);
		abort();
	}
	return r;
}

static inline void assert_same_profile(const struct profile *a, const struct profile *b)
{
	char *x = print_profile(a), *y = print_profile(b);

	assert_string_equal(x, y);
	free(x);
	free(y);
}

static inline void assert_same_quality(const struct quality *a, const struct quality *b)
{
#define X(key) assert_int_equal(a->key, b->key);
	QUALITY_COUNTERS(X)
#undef X
	assert_memory_equal(a->lost, b->lost, sizeof(a->lost));
	assert_int_equal(a->blame.len, b->blame.len);
	for (size_t i = 0; i < a->blame.len; i++) {
		assert_string_equal(a->blame.data[i].module, b->blame.data[i].module);
		assert_string_equal(a->blame.data[i].hint, b->blame.data[i].hint);
		assert_int_equal(a->blame.data[i].frames, b->blame.data[i].frames);
		assert_int_equal(a->blame.data[i].unnamed, b->blame.data[i].unnamed);
		assert_int_equal(a->blame.data[i].broken, b->blame.data[i].broken);
	}
}

static inline void assert_undamaged(const struct store_result *r)
{
	assert_int_equal(r->segments_damaged, 0);
	assert_int_equal(r->segments_newer, 0);
	assert_int_equal(r->rows_damaged, 0);
	assert_int_equal(r->windows_damaged, 0);
	assert_int_equal(r->pieces_damaged, 0);
}

/* The store has of a range what these windows add up to. */
static inline void assert_holds(struct store *s, const struct window *w, size_t n, int64_t since,
				int64_t until)
{
	struct quality q = {0};
	struct profile *sum = merge_windows(w, n, since, until, &q);
	struct store_result r = query_store(s, since, until, NULL);

	assert_same_profile(r.profile, sum);
	assert_same_quality(&r.quality, &q);
	assert_undamaged(&r);
	store_result_release(&r);
	quality_release(&q);
	profile_free(sum);
}

/* n windows from T0 on, every step_ns, appended. */
static inline void append_windows(struct store *s, struct window *w, size_t n, int64_t step_ns)
{
	for (size_t i = 0; i < n; i++) {
		w[i] = random_window(i, T0 + (int64_t)i * step_ns, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
	}
}

static inline void release_windows(struct window *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		window_release(&w[i]);
}

#endif
