// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/walk_set.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/clock.h"

/* Starting a reader and having it read its files again takes a hundredth of a second of CPU time. */
#define TAKE_AWAY_NS 250000000ull

struct owned {
	struct walk_worker *worker; /* NULL: free */
	uint32_t owner;
	uint64_t used; /* the last one has the highest number */
};

struct walk_set {
	struct walk_worker_opts opts;
	struct owned owned[WALK_OWNERS_MAX]; /* the first is root's, and stays */
	uint64_t uses, taken_ns;
};

int walk_set_new(struct walk_set **out, const struct walk_worker_opts *opts)
{
	struct walk_set *s = calloc(1, sizeof(*s));
	int err = s ? walk_worker_new(&s->owned[0].worker, opts) : -ENOMEM;

	if (err) {
		free(s);
		return err;
	}
	s->opts = *opts;
	s->opts.like = s->owned[0].worker;
	*out = s;
	return 0;
}

/* The others use the first one's spawner. */
void walk_set_free(struct walk_set *s)
{
	if (!s)
		return;
	for (size_t i = WALK_OWNERS_MAX; i-- > 0;)
		walk_worker_free(s->owned[i].worker);
	free(s);
}

static struct owned *find(struct walk_set *s, uint32_t owner)
{
	for (size_t i = 0; i < WALK_OWNERS_MAX; i++)
		if (s->owned[i].worker && s->owned[i].owner == owner)
			return &s->owned[i];
	return NULL;
}

/* A free place, or the one that was not used for the longest time. */
static struct owned *make_room(struct walk_set *s)
{
	struct owned *best = &s->owned[1];

	for (size_t i = 1; i < WALK_OWNERS_MAX; i++) {
		if (!s->owned[i].worker)
			return &s->owned[i];
		if (s->owned[i].used < best->used)
			best = &s->owned[i];
	}
	return best;
}

/* NULL: there is none for it. */
static struct owned *add(struct walk_set *s, uint32_t owner)
{
	struct owned *o = make_room(s);
	uint64_t now = monotonic_ns();

	if (!o->worker) {
		if (walk_worker_new(&o->worker, &s->opts))
			return NULL;
	} else {
		if (now - s->taken_ns < TAKE_AWAY_NS)
			return NULL;
		s->taken_ns = now;
		walk_worker_renew(o->worker);
	}
	o->owner = owner;
	return o;
}

struct walk_worker *walk_set_for(struct walk_set *s, uint32_t owner)
{
	struct owned *o = s->opts.sandbox ? find(s, owner) : &s->owned[0];

	o = o ?: add(s, owner);
	if (!o)
		return NULL;
	o->used = ++s->uses;
	return o->worker;
}

void walk_set_forget(struct walk_set *s)
{
	for (size_t i = 0; i < WALK_OWNERS_MAX; i++)
		if (s->owned[i].worker)
			walk_worker_forget(s->owned[i].worker);
}

void walk_set_rest(struct walk_set *s)
{
	for (size_t i = 0; i < WALK_OWNERS_MAX; i++)
		if (s->owned[i].worker)
			walk_worker_rest(s->owned[i].worker);
}

void walk_set_stats(const struct walk_set *s, struct walk_worker_stats *out)
{
	*out = (struct walk_worker_stats){0};
	for (size_t i = 0; i < WALK_OWNERS_MAX; i++) {
		struct walk_worker_stats one;

		if (!s->owned[i].worker)
			continue;
		walk_worker_stats(s->owned[i].worker, &one);
		out->lost += one.lost;
		out->files_failed += one.files_failed;
		out->restarts += one.restarts;
	}
}
