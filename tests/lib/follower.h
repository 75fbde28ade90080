/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who reads a spool: his place, and what he was given on the way. */
#ifndef KILN_TESTS_FOLLOWER_H
#define KILN_TESTS_FOLLOWER_H

#include "profiler/store/maintain.h"
#include "profiler/store/spool.h"
#include "profiler/store/store_internal.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

static const struct store_opts writing = {.access = STORE_WRITE};
static const struct store_opts reading = {.access = STORE_READ};

static FIXTURE_UNUSED struct moment at(int64_t unix_ns)
{
	return (struct moment){unix_ns, unix_ns - T0 + HOUR};
}

static FIXTURE_UNUSED struct moment clock_of_tests(void)
{
	return at(T0 + 6 * HOUR);
}

static FIXTURE_UNUSED struct store *open_writer(void)
{
	struct store *s = open_store("store", &writing);

	s->clock = clock_of_tests;
	return s;
}

static FIXTURE_UNUSED void maintain_all(struct store *s, int64_t unix_ns)
{
	int got = 1;

	for (int i = 0; got > 0; i++) {
		assert_in_range(i, 0, 100);
		got = maintain(s, at(unix_ns));
	}
	assert_int_equal(got, 0);
}

struct follower {
	struct store *store;
	struct spool *spool;
	struct spool_place place;
	uint64_t gone, too_old;
	int64_t since_ns;
};

static FIXTURE_UNUSED void follow(struct follower *f)
{
	f->store = open_store("store", &reading);
	assert_int_equal(spool_open(&f->spool, f->store), 0);
}

static FIXTURE_UNUSED void leave(struct follower *f)
{
	spool_close(f->spool);
	store_close(f->store);
}

/* As after a restart: nothing but the place is known. */
static FIXTURE_UNUSED void follow_again(struct follower *f)
{
	leave(f);
	follow(f);
}

static FIXTURE_UNUSED int take(struct follower *f, struct spool_window *w)
{
	uint64_t too_old;
	int got = spool_next(f->spool, &f->place, f->since_ns, w, &too_old);

	if (got == 0 || got == 1 || got == -EBADMSG) {
		f->place = w->behind;
		f->gone += w->gone;
		f->too_old += too_old;
	}
	return got;
}

static FIXTURE_UNUSED void assert_given(struct follower *f, const struct window *w)
{
	struct spool_window got;

	assert_int_equal(take(f, &got), 1);
	assert_int_equal(got.begin_ns, w->begin_ns);
	assert_int_equal(got.duration_ns, w->duration_ns);
	assert_int_equal(got.profile->time_ns, w->begin_ns);
	assert_int_equal(got.profile->duration_ns, w->duration_ns);
	assert_same_profile(got.profile, w->profile);
	assert_same_quality(&got.quality, &w->quality);
	assert_true(got.bytes > 0);
	spool_window_release(&got);
}

static FIXTURE_UNUSED void assert_nothing(struct follower *f)
{
	struct spool_window got;

	assert_int_equal(take(f, &got), 0);
	assert_null(got.profile);
}

#endif
