// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/upload/delivery_priv.h"

#define WINDOW_NS	 (10 * NS_PER_S)
#define BACKOFF_LEAST_NS NS_PER_S
#define BACKOFF_MOST_NS	 (300 * NS_PER_S)
#define BREAKER_NS	 (300 * NS_PER_S)
#define FEW		 5
/* A clock that was set by more than this is not believed for so long. */
#define STEP_NS	    (60 * (int64_t)NS_PER_S)
#define DISTRUST_NS (600 * NS_PER_S)
#define SWEEP_NS    (24 * 3600 * NS_PER_S)
#define FRESH_NS    (5 * NS_PER_S) /* of what delivery_stats() says of windows that wait */

/* --- the world outside ------------------------------------------------------------------------------ */

static int real_start(void *ctx, const struct net_request *r, net_done *done, void *done_ctx,
		      struct net_transfer **out)
{
	return net_start(ctx, r, done, done_ctx, out);
}

static void real_cancel(void *ctx, struct net_transfer *t)
{
	net_cancel(ctx, t);
}

static int real_turn(void *ctx, int timeout_ms, int fd)
{
	return net_turn(ctx, timeout_ms, fd);
}

static uint64_t real_monotonic(void *ctx)
{
	(void)ctx;
	return monotonic_ns();
}

static uint64_t real_boottime(void *ctx)
{
	(void)ctx;
	return boottime_ns();
}

static int64_t real_unix(void *ctx)
{
	(void)ctx;
	return unix_ns();
}

static uint64_t real_chance(void *ctx)
{
	(void)ctx;
	return hash_random_seed();
}

struct delivery_world delivery_real_world(struct net *n)
{
	return (struct delivery_world){
		.ctx = n,
		.start = real_start,
		.cancel = real_cancel,
		.turn = real_turn,
		.monotonic_ns = real_monotonic,
		.boottime_ns = real_boottime,
		.unix_ns = real_unix,
		.chance = real_chance,
	};
}

/* --- opening -------------------------------------------------------------------------------------- */

static void destination_free(struct destination *d)
{
	const struct delivery_world *w = &d->owner->opts.world;

	if (d->is_sending && d->transfer)
		w->cancel(w->ctx, d->transfer);
	free(d->headers);
	destination_release_item(d);
	upload_target_free(d->target);
	free(d);
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->destinations.len; i++)
		destination_free(d->destinations.data[i]);
	vec_release(&d->destinations);
	for (size_t i = 0; i < d->known.len; i++)
		free(d->known.data[i]);
	vec_release(&d->known);
	spool_close(d->spool);
	store_close(d->store);
	cursors_close(&d->cursors);
	free(d->store_path);
	free(d->cursor_dir);
	free(d->host);
	free(d);
}

static void set_defaults(struct delivery_opts *o)
{
	o->window_ns = o->window_ns ?: WINDOW_NS;
	o->backoff_least_ns = o->backoff_least_ns ?: BACKOFF_LEAST_NS;
	o->backoff_most_ns = o->backoff_most_ns ?: BACKOFF_MOST_NS;
	o->breaker_ns = o->breaker_ns ?: BREAKER_NS;
	o->few = o->few ?: FEW;
}

int delivery_new(struct delivery **out, const struct delivery_opts *o, struct why *why)
{
	static const struct store_opts reading = {.access = STORE_READ};
	_cleanup_(delivery_freep) struct delivery *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return why_say(why, -ENOMEM, "out of memory");
	d->opts = *o;
	d->cursors = (struct cursors){-1, -1};
	set_defaults(&d->opts);
	d->host = strdup(o->host ?: "");
	d->store_path = strdup(o->store_path);
	d->cursor_dir = strdup(o->cursor_dir);
	d->opts.store_path = d->store_path;
	d->opts.cursor_dir = d->cursor_dir;
	if (!d->host || !d->store_path || !d->cursor_dir)
		return why_say(why, -ENOMEM, "out of memory");
	err = store_open(&d->store, o->store_path, &reading, why);
	err = err ?: cursors_open(&d->cursors, o->cursor_dir, why);
	if (err)
		return err;
	err = spool_open(&d->spool, d->store);
	if (err)
		return why_say(why, err, "out of memory");
	*out = steal_ptr(d);
	return 0;
}

/* --- destinations --------------------------------------------------------------------------------- */

static struct destination *find(const struct delivery *d, const char *name)
{
	for (size_t i = 0; i < d->destinations.len; i++)
		if (!strcmp(d->destinations.data[i]->target->name, name))
			return d->destinations.data[i];
	return NULL;
}

/* A cursor that cannot be read: everything within the bounds is sent. */
static int find_place(struct delivery *d, const char *name, struct spool_place *out,
		      struct why *why)
{
	int got = cursor_load(&d->cursors, name, out), err;

	if (got == 1)
		return 0;
	*out = (struct spool_place){0};
	if (got == -EBADMSG) {
		log_warning("upload \"%s\": its cursor is damaged: it begins with the oldest "
			    "windows that may "
			    "be sent, and may get some twice",
			    name);
		return 0;
	}
	if (got)
		return why_say(why, got, "the cursor of \"%s\": %s", name, strerror(-got));
	/* Of a store in another directory: what came here meanwhile is not to be missed. */
	if (d->opts.has_begun && d->opts.has_begun(d->opts.begun_ctx, name))
		return 0;
	err = spool_end(d->spool, out);
	if (err)
		return why_say(why, err, "the store: %s", strerror(-err));
	err = cursor_save(&d->cursors, name, out); /* that it has begun */
	log_info("upload \"%s\" is new: it gets windows from now on%s%s", name,
		 err ? "; its cursor cannot be written: " : "", err ? strerror(-err) : "");
	return 0;
}

int delivery_add(struct delivery *d, struct upload_target *t, const struct delivery_bounds *bounds,
		 struct why *why)
{
	struct destination *n;
	int err;

	if (find(d, t->name))
		return why_say(why, -EEXIST, "a second destination \"%s\"", t->name);
	n = calloc(1, sizeof(*n));
	err = n ? vec_reserve(&d->destinations, d->destinations.len + 1) : -ENOMEM;
	if (err)
		why_say(why, err, "out of memory");
	err = err ?: find_place(d, t->name, &n->place, why);
	if (err) {
		free(n);
		return err;
	}
	n->owner = d;
	n->target = t;
	n->bounds = bounds ? *bounds : (struct delivery_bounds){0};
	n->backoff.least_ns = d->opts.backoff_least_ns;
	n->backoff.most_ns = d->opts.backoff_most_ns;
	/* Agents that start at the same time send at different ones. */
	n->wake_ns = delivery_now(d) + delivery_chance(d) % d->opts.window_ns;
	n->phase_ns = destination_batch_ns(n) ? delivery_chance(d) % destination_batch_ns(n) : 0;
	n->is_behind = true;
	d->destinations.data[d->destinations.len++] = n;
	return 0;
}

int delivery_know(struct delivery *d, const char *name)
{
	char *copy = strdup(name);

	if (copy && !vec_push(&d->known, copy))
		return 0;
	free(copy);
	return -ENOMEM;
}

size_t delivery_count(const struct delivery *d)
{
	return d->destinations.len;
}

const char *delivery_name(const struct delivery *d, size_t i)
{
	return d->destinations.data[i]->target->name;
}

void delivery_stats(struct delivery *d, size_t i, struct delivery_stats *out)
{
	struct destination *n = d->destinations.data[i];
	uint64_t now_ns = delivery_now(d), batch_ns = destination_batch_ns(n),
		 fresh_ns = batch_ns / 2 > FRESH_NS ? batch_ns / 2 : FRESH_NS;

	if ((n->has_item || n->is_behind) && (!n->counted_ns || now_ns - n->counted_ns >= fresh_ns))
		destination_count_waiting(n, now_ns);
	*out = n->stats;
}

void delivery_leave(struct delivery *d)
{
	uint64_t now_ns = delivery_now(d);

	if (store_is_at(d->store, d->store_path))
		return;
	for (size_t i = 0; i < d->destinations.len; i++) {
		struct destination *n = d->destinations.data[i];

		destination_count_waiting(n, now_ns);
		n->stats.dropped_gone += n->stats.waiting;
		if (n->stats.waiting)
			log_warning("upload \"%s\": %" PRIu64
				    " window%s not sent: in a directory that is not at %s any more",
				    n->target->name, n->stats.waiting, text_s(n->stats.waiting),
				    d->store_path);
	}
}

/* --- destinations that are left --------------------------------------------------------------------- */

static bool is_known(void *ctx, const char *name)
{
	const struct delivery *d = ctx;

	for (size_t i = 0; i < d->known.len; i++)
		if (!strcmp(d->known.data[i], name))
			return true;
	return find(d, name) != NULL;
}

static void say_removed(void *ctx, const char *name, const struct spool_place *p)
{
	struct delivery *d = ctx;
	uint64_t windows = 0, bytes = 0;
	int64_t oldest_ns = 0;

	if (spool_waiting(d->spool, p, &windows, &bytes, &oldest_ns))
		windows = 0;
	log_warning("upload \"%s\" is in the configuration no more: %" PRIu64 " window%s (%" PRIu64
		    " KB) not sent; it can go on within %lld days",
		    name, windows, text_s(windows), bytes >> 10,
		    CURSOR_KEPT_NS / (86400 * (long long)NS_PER_S));
}

static void sweep(struct delivery *d, uint64_t now_ns)
{
	const struct delivery_world *w = &d->opts.world;
	const struct cursor_sweep s = {is_known, say_removed, d};

	if (d->sweep_ns && now_ns < d->sweep_ns)
		return;
	d->sweep_ns = now_ns + SWEEP_NS;
	cursors_sweep(&d->cursors, w->unix_ns(w->ctx), &s);
}

/* --- turns ---------------------------------------------------------------------------------------- */

static void watch_clock(struct delivery *d, uint64_t now_ns)
{
	const struct delivery_world *w = &d->opts.world;
	int64_t offset_ns = w->unix_ns(w->ctx) - (int64_t)w->boottime_ns(w->ctx),
		step_ns = offset_ns - d->clock_offset_ns;

	if (d->has_offset && (step_ns > STEP_NS || step_ns < -STEP_NS)) {
		d->distrust_until_ns = now_ns + DISTRUST_NS;
		log_debug("uploads: the clock was set by %" PRId64
			  " s: for a while no window is too old",
			  step_ns / (int64_t)NS_PER_S);
	}
	d->has_offset = true;
	d->clock_offset_ns = offset_ns;
}

static void turn(struct destination *d, uint64_t now_ns)
{
	if (d->is_sending || now_ns < d->wake_ns)
		return;
	if (!d->has_item)
		destination_load(d, now_ns);
	if (d->has_item)
		destination_send(d, now_ns);
}

static int wait_ms(const struct delivery *d, int most_ms)
{
	uint64_t now_ns = delivery_now(d), wait_ns = (uint64_t)most_ms * 1000000;

	for (size_t i = 0; i < d->destinations.len; i++) {
		const struct destination *n = d->destinations.data[i];
		uint64_t left_ns = n->wake_ns > now_ns ? n->wake_ns - now_ns : 0;

		if (!n->is_sending && left_ns < wait_ns)
			wait_ns = left_ns;
	}
	return (int)((wait_ns + 999999) / 1000000);
}

int delivery_turn(struct delivery *d, int timeout_ms, int fd)
{
	const struct delivery_world *w = &d->opts.world;
	uint64_t now_ns = delivery_now(d);

	sweep(d, now_ns);
	watch_clock(d, now_ns);
	for (size_t i = 0; i < d->destinations.len; i++)
		turn(d->destinations.data[i], now_ns);
	delivery_say(d, now_ns);
	return w->turn(w->ctx, wait_ms(d, timeout_ms), fd);
}
