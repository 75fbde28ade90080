// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Windows that are sent as one. A batch is those that begin in one piece of a grid of time, from midnight (UTC) on: so
 * it consists of the same windows whenever it is put together, also after a restart, and no batch is of two days.
 * It is complete when a window of a later piece is there, or when none of this piece can come any more.
 */
#include <errno.h>

#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/delivery_priv.h"

#define DAY_NS	    (86400 * (int64_t)NS_PER_S)
#define SLACK_NS    (5 * NS_PER_S) /* for a window to be stored, once it has ended */
#define MAX_WINDOWS 128		   /* in a batch */

uint64_t destination_batch_ns(const struct destination *d)
{
	return d->bounds.batch_ns ?: d->target->kind->batch_ns;
}

/* The piece of the grid that a time is in: [begin, end). */
struct piece {
	int64_t begin_ns, end_ns;
};

static struct piece piece_of(const struct destination *d, int64_t time_ns)
{
	int64_t batch_ns = (int64_t)destination_batch_ns(d),
		midnight_ns = time_ns / DAY_NS * DAY_NS, next_ns = midnight_ns + DAY_NS;
	struct piece p = {.begin_ns = time_ns - (time_ns - midnight_ns) % batch_ns};

	p.end_ns = p.begin_ns + batch_ns < next_ns ? p.begin_ns + batch_ns : next_ns;
	return p;
}

/* When the last window that begins before end_ns is in the store. */
static int64_t stored_by(const struct destination *d, int64_t end_ns)
{
	return end_ns + (int64_t)(d->owner->opts.window_ns + SLACK_NS);
}

static int64_t unix_now(const struct destination *d)
{
	const struct delivery_world *w = &d->owner->opts.world;

	return w->unix_ns(w->ctx);
}

static int64_t due_of(const struct destination *d, int64_t end_ns)
{
	return stored_by(d, end_ns) + (int64_t)d->phase_ns;
}

void destination_end_batch(struct destination *d, int64_t begin_ns)
{
	if (destination_batch_ns(d))
		d->due_ns = due_of(d, piece_of(d, piece_of(d, begin_ns).end_ns).end_ns);
}

uint64_t destination_batch_wait_ns(const struct destination *d)
{
	int64_t wait_ns = d->due_ns - unix_now(d);

	/* Longer than that, and the clock was set. */
	if (!d->due_ns || wait_ns <= 0 || wait_ns > 4 * (int64_t)destination_batch_ns(d))
		return 0;
	return (uint64_t)wait_ns;
}

static int merge(struct spool_window *w, const struct spool_window *next)
{
	const char *why;
	int err = profile_merge(w->profile, next->profile, &why);

	err = err ?: quality_merge(&w->quality, &next->quality);
	if (err)
		return err;
	w->behind = next->behind;
	w->gone += next->gone;
	w->bytes += next->bytes;
	w->is_last = next->is_last;
	for (int i = 0; i < 2; i++)
		w->id[i] = hash_mix(w->id[i], next->id[i]);
	return 0;
}

/* 1: there is no more of it; 0: a window was merged, or there is none yet (*is_end); or -errno. */
static int add_next(struct destination *d, struct spool_window *w, const struct piece *p,
		    int64_t since_ns, bool *is_end)
{
	struct spool_window next = {0};
	uint64_t too_old = 0;
	int got = spool_next(d->owner->spool, &w->behind, since_ns, &next, &too_old), err = 0;

	*is_end = got != 1;
	if (got == 1 && next.begin_ns >= p->begin_ns && next.begin_ns < p->end_ns) {
		err = merge(w, &next);
		if (!err)
			d->stats.dropped_age += too_old;
	} else if (got == 1 || got == -EBADMSG) {
		err = 1;
	} else if (got < 0) {
		err = got;
	}
	spool_window_release(&next);
	/* Of other types of values: another batch. */
	return err == -EINVAL ? 1 : err;
}

int destination_fill_batch(struct destination *d, struct spool_window *w, int64_t since_ns,
			   uint64_t *windows)
{
	const struct piece p = piece_of(d, w->begin_ns);
	bool is_end = false;
	int got = 0;

	*windows = 1;
	while (!got && !is_end && *windows < MAX_WINDOWS) {
		got = add_next(d, w, &p, since_ns, &is_end);
		*windows += !got && !is_end;
	}
	if (got || !is_end)
		return got < 0 ? got : 1;
	if (unix_now(d) >= stored_by(d, p.end_ns))
		return 1;
	d->due_ns = due_of(d, p.end_ns);
	return 0;
}
