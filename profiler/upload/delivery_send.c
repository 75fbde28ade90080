// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to a destination, one after the other, and what becomes of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/upload/delivery_priv.h"

/* What is caught up is gzip: some four times as much for a server that counts what is in it. Pyroscope takes
 * 4 MB of that a second. */
#define PACE_BYTES_PER_S (512u << 10)
#define FAILURES_OPEN	 5 /* in a row: then it counts as paused */
#define MOST_GIVEN_UP	 8 /* doublings of tries; by then a window is too old first */

/* --- answers -------------------------------------------------------------------------------------- */

static void finish_item(struct destination *d)
{
	int64_t begin_ns = d->item.begin_ns;
	uint64_t now_ns = delivery_now(d->owner);
	/* Of one that took long others are behind by now. */
	bool is_last = d->item.is_last && now_ns - d->item.taken_ns < d->owner->opts.window_ns;

	if (d->item.is_refused)
		d->stats.dropped_refused += d->item.windows;
	else
		d->stats.windows += d->item.windows;
	destination_advance(d, &d->item.behind);
	destination_end_batch(d, begin_ns);
	if (is_last) {
		destination_look_later(d, now_ns);
		destination_none_wait(d, now_ns);
	}
}

/* The request is done with, whatever became of it. */
static void next_request(struct destination *d)
{
	d->item.next++;
	d->tries = 0;
	if (d->item.next < d->item.requests.v.len)
		return;
	finish_item(d);
}

static void delivered(struct destination *d, const struct upload_judgement *j, uint64_t now_ns)
{
	uint64_t samples = d->item.requests.v.data[d->item.next].samples;

	destination_say_well(d);
	d->backoff.failures = 0;
	d->given_up = 0;
	d->stats.is_open = false;
	if (j->verdict == UPLOAD_PARTIAL) {
		/* A server may say any number. */
		uint64_t rejected = j->rejected < samples ? j->rejected : samples;

		destination_say_partial(d, j, now_ns);
		d->stats.rejected += rejected;
		samples -= rejected;
	}
	d->stats.samples += samples;
	next_request(d);
}

static void refused(struct destination *d, const struct why *why, uint64_t now_ns)
{
	destination_say_refused(d, why, now_ns);
	d->backoff.failures = 0;
	d->stats.is_open = false;
	d->stats.rejected += d->item.requests.v.data[d->item.next].samples;
	d->item.is_refused = true;
	next_request(d);
}

static void again(struct destination *d, const struct upload_judgement *j, uint64_t now_ns)
{
	d->wake_ns =
		now_ns + backoff_next(&d->backoff, delivery_chance(d->owner), j->retry_after_s);
	d->stats.retries++;
	d->stats.is_open = d->backoff.failures >= FAILURES_OPEN;
	destination_say_trouble(d, SAID_AWAY, &j->why, now_ns);
}

static void wrong(struct destination *d, const struct upload_judgement *j, uint64_t now_ns)
{
	d->wake_ns = now_ns + backoff_jitter(d->owner->opts.breaker_ns, delivery_chance(d->owner));
	d->stats.retries++;
	d->stats.is_open = true;
	destination_say_trouble(d, SAID_WRONG, &j->why, now_ns);
}

/* What is wrong with one request may be its data. If nothing is taken any more, it is the server: each time it gets
 * twice as long, and waits go on growing. */
static void again_few(struct destination *d, const struct upload_judgement *j, uint64_t now_ns)
{
	unsigned doublings = d->given_up < MOST_GIVEN_UP ? d->given_up : MOST_GIVEN_UP,
		 failures = d->backoff.failures;

	if (++d->tries < d->owner->opts.few << doublings) {
		again(d, j, now_ns);
		return;
	}
	refused(d, &j->why, now_ns);
	d->backoff.failures = failures;
	d->given_up++;
}

static void act(struct destination *d, const struct upload_judgement *j, uint64_t now_ns)
{
	switch (j->verdict) {
	case UPLOAD_DELIVERED:
	case UPLOAD_PARTIAL:
		if (j->repack) /* a question was answered */
			return;
		delivered(d, j, now_ns);
		return;
	case UPLOAD_AGAIN_FEW:
		again_few(d, j, now_ns);
		break;
	case UPLOAD_REFUSED:
		refused(d, &j->why, now_ns);
		break;
	case UPLOAD_WRONG:
		wrong(d, j, now_ns);
		break;
	case UPLOAD_AGAIN:
	default:
		again(d, j, now_ns);
		break;
	}
	d->stats.failures++;
}

static void done(void *ctx, struct net_answer *answer)
{
	struct destination *d = ctx;
	struct upload_judgement j = {.retry_after_s = -1};
	uint64_t now_ns = delivery_now(d->owner);

	d->is_sending = false;
	d->transfer = NULL;
	free(d->headers);
	d->headers = NULL;
	d->stats.requests++;
	d->stats.bytes += answer->sent;
	d->wake_ns = now_ns + answer->sent * NS_PER_S / PACE_BYTES_PER_S;
	upload_target_settle(d->target, &d->item.requests.v.data[d->item.next], answer, &j);
	act(d, &j, now_ns);
	destination_note(d, &j, now_ns);
	if (j.repack && d->has_item)
		destination_repack(d);
}

/* --- requests ------------------------------------------------------------------------------------- */

static bool is_too_old(const struct destination *d)
{
	return d->item.begin_ns < destination_since(d);
}

static int start(struct destination *d)
{
	const struct delivery_world *w = &d->owner->opts.world;
	const struct upload_request *r = &d->item.requests.v.data[d->item.next];
	int err = upload_target_request(d->target, r, &d->request, &d->headers);

	err = err ?: w->start(w->ctx, &d->request, done, d, &d->transfer);
	if (!err)
		return 0;
	free(d->headers);
	d->headers = NULL;
	return err;
}

void destination_send(struct destination *d, uint64_t now_ns)
{
	if (is_too_old(d)) {
		d->stats.dropped_age += d->item.windows;
		destination_advance(d, &d->item.behind);
		return;
	}
	if (!d->item.requests.v.len) { /* nothing in it that it wants */
		finish_item(d);
		return;
	}
	d->is_sending = true;
	if (!start(d))
		return;
	d->is_sending = false;
	d->wake_ns = now_ns + d->owner->opts.window_ns; /* out of memory */
}
