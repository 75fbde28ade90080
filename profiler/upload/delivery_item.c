// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows on their way to a destination: which is next, and what is dropped. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/delivery_priv.h"

#define MAX_AGE_NS   (24 * 3600 * NS_PER_S)
#define AGE_SLACK_NS (120 * NS_PER_S) /* a request takes its time, and clocks differ */
#define COUNT_NS     (10 * NS_PER_S)
#define MOST_DROPPED 64 /* in a turn */

void destination_release_item(struct destination *d)
{
	upload_requests_release(&d->item.requests);
	d->item = (struct delivery_item){0};
	d->has_item = false;
	d->tries = 0;
}

/* --- places --------------------------------------------------------------------------------------- */

static void save(struct destination *d)
{
	int err = cursor_save(&d->owner->cursors, d->target->name, &d->place);

	d->stats.cursor_errors += err != 0;
	if (err && !d->is_cursor_wrong)
		log_warning("upload \"%s\": its cursor in %s cannot be written: %s; it goes on, "
			    "and after a "
			    "restart windows are sent again: make room there",
			    d->target->name, d->owner->opts.cursor_dir, strerror(-err));
	else if (!err && d->is_cursor_wrong)
		log_info("upload \"%s\": its cursor can be written again", d->target->name);
	d->is_cursor_wrong = err != 0;
}

void destination_advance(struct destination *d, const struct spool_place *behind)
{
	d->place = *behind;
	save(d);
	destination_release_item(d);
}

void destination_repack(struct destination *d)
{
	unsigned tries = d->tries;

	destination_release_item(d);
	d->tries = tries;
}

int64_t destination_since(const struct destination *d)
{
	const struct delivery_world *w = &d->owner->opts.world;
	uint64_t most_ns = d->bounds.max_age_ns ?: MAX_AGE_NS,
		 kind_ns = d->target->kind->max_age_ns;
	int64_t now_ns = w->unix_ns(w->ctx);

	if (delivery_now(d->owner) < d->owner->distrust_until_ns)
		return 0;
	if (kind_ns && most_ns > kind_ns - (kind_ns > 2 * AGE_SLACK_NS ? AGE_SLACK_NS : 0))
		most_ns = kind_ns - (kind_ns > 2 * AGE_SLACK_NS ? AGE_SLACK_NS : 0);
	return (int64_t)most_ns < now_ns ? now_ns - (int64_t)most_ns : 0;
}

/* --- what waits ----------------------------------------------------------------------------------- */

static void know_waiting(struct destination *d, uint64_t windows, int64_t oldest_ns,
			 uint64_t now_ns)
{
	const struct delivery_world *w = &d->owner->opts.world;
	int64_t age_ns = windows ? w->unix_ns(w->ctx) - oldest_ns : 0;

	d->counted_ns = now_ns;
	d->stats.waiting = windows;
	d->stats.lag_ns = age_ns > 0 ? (uint64_t)age_ns : 0;
}

void destination_count_waiting(struct destination *d, uint64_t now_ns)
{
	uint64_t windows, bytes;
	int64_t oldest_ns;

	d->counted_ns = now_ns;
	if (!spool_waiting(d->owner->spool, &d->place, &windows, &bytes, &oldest_ns))
		know_waiting(d, windows, oldest_ns, now_ns);
}

void destination_none_wait(struct destination *d, uint64_t now_ns)
{
	know_waiting(d, 0, 0, now_ns);
}

/* Drops the oldest until the rest is within the bound, some of them in a turn: whether there may be more. */
static bool drop_beyond_bytes(struct destination *d)
{
	struct spool_place at = d->place;
	struct spool_window w;
	uint64_t windows, bytes, too_old, dropped = 0;
	int64_t oldest_ns;
	int got = 1;

	if (!d->bounds.max_bytes ||
	    spool_waiting(d->owner->spool, &at, &windows, &bytes, &oldest_ns))
		return false;
	while (bytes > d->bounds.max_bytes && dropped < MOST_DROPPED && got == 1) {
		got = spool_next(d->owner->spool, &at, 0, &w, &too_old);
		if (got == 1) {
			at = w.behind;
			bytes -= w.bytes < bytes ? w.bytes : bytes;
			dropped++;
			d->stats.dropped_gone += w.gone;
			spool_window_release(&w);
		}
	}
	if (!dropped)
		return false;
	if (!d->stats.dropped_bytes)
		log_warning(
			"upload \"%s\": more waits than max_size: the oldest windows are dropped",
			d->target->name);
	d->stats.dropped_bytes += dropped;
	destination_advance(d, &at);
	return dropped == MOST_DROPPED;
}

/* --- the next one --------------------------------------------------------------------------------- */

void destination_look_later(struct destination *d, uint64_t now_ns)
{
	d->wake_ns = now_ns + backoff_jitter(d->owner->opts.window_ns, delivery_chance(d->owner));
	d->is_behind = false;
}

static void refuse(struct destination *d, const struct spool_window *w, uint64_t windows,
		   const char *why)
{
	d->stats.dropped_refused += windows;
	d->stats.dropped_gone += w->gone;
	log_warning("upload \"%s\": a window cannot be sent: %s", d->target->name, why);
	destination_advance(d, &w->behind);
}

static int pack_window(struct destination *d, struct spool_window *w, struct why *why)
{
	const struct upload_item item = {
		.profile = w->profile,
		.host = d->owner->host,
		.labels = d->target->labels ? NULL : d->owner->opts.labels,
		.id = {w->id[0], w->id[1]},
	};
	/* Without them nobody sees what is missing from it. */
	int err = quality_store(w->profile, &w->quality);

	return err ?: d->target->kind->pack(d->target, &item, &d->item.requests, why);
}

static void take(struct destination *d, struct spool_window *w, uint64_t windows, uint64_t now_ns)
{
	struct why why = {""};
	int err = pack_window(d, w, &why);

	if (err == -ENOMEM) {
		destination_release_item(d);
		destination_look_later(d, now_ns);
		return;
	}
	if (err) {
		refuse(d, w, windows, why.text);
		return;
	}
	d->stats.dropped_gone += w->gone;
	d->item.behind = w->behind;
	d->item.begin_ns = w->begin_ns;
	d->item.windows = windows;
	d->item.is_last = w->is_last;
	d->item.taken_ns = now_ns;
	d->has_item = true;
	d->is_behind = true;
	if (w->is_last)
		know_waiting(d, windows, w->begin_ns, now_ns);
}

static void note_store(struct destination *d, int err)
{
	bool is_wrong = err && err != -EAGAIN;

	if (is_wrong && !d->is_store_wrong)
		log_warning("upload \"%s\": the store cannot be read: %s", d->target->name,
			    strerror(-err));
	d->is_store_wrong = is_wrong;
}

static bool same_place(const struct spool_place *a, const struct spool_place *b)
{
	return a->segment == b->segment && a->row == b->row;
}

/* A window, or all of a batch if it is complete. */
static void take_batch(struct destination *d, struct spool_window *w, uint64_t now_ns)
{
	uint64_t windows = 1, wait_ns;
	int got = destination_batch_ns(d)
			  ? destination_fill_batch(d, w, destination_since(d), &windows)
			  : 1;

	note_store(d, got < 0 ? got : 0);
	if (got == 1) {
		take(d, w, windows, now_ns);
		return;
	}
	destination_look_later(d, now_ns);
	wait_ns = destination_batch_wait_ns(d);
	if (got == 0 && wait_ns)
		d->wake_ns = now_ns + wait_ns;
	d->is_behind = true;
}

static void load(struct destination *d, uint64_t now_ns)
{
	uint64_t too_old = 0;
	struct spool_window w = {0};
	int got;

	if (d->is_behind && (!d->counted_ns || now_ns - d->counted_ns >= COUNT_NS)) {
		if (drop_beyond_bytes(d))
			return;
		destination_count_waiting(d, now_ns);
	}
	got = spool_next(d->owner->spool, &d->place, destination_since(d), &w, &too_old);
	note_store(d, got < 0 && got != -EBADMSG ? got : 0);
	if (got >= 0 || got == -EBADMSG)
		d->stats.dropped_age += too_old;
	if (got == 1) {
		take_batch(d, &w, now_ns);
	} else {
		if (got == 0 || got == -EBADMSG) {
			d->stats.dropped_gone += w.gone + (got == -EBADMSG);
			if (!same_place(&w.behind, &d->place))
				destination_advance(d, &w.behind);
		}
		if (got != -EBADMSG)
			destination_look_later(d, now_ns);
		if (got == 0)
			destination_none_wait(d, now_ns);
	}
	spool_window_release(&w);
}

void destination_load(struct destination *d, uint64_t now_ns)
{
	uint64_t wait_ns = destination_batch_wait_ns(d);

	if (wait_ns) {
		d->wake_ns = now_ns + wait_ns;
		return;
	}
	/* Opening a segment takes longer than what is read of it. */
	spool_hold(d->owner->spool);
	load(d, now_ns);
	spool_rest(d->owner->spool);
}
