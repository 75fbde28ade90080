// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/upload/push.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/upload/backoff.h"

#define FEW	  5
#define LEAST_NS  NS_PER_S
#define MOST_NS	  (20 * NS_PER_S)
#define LEAST_TRY 20 /* a shorter part of the time would only hide why the last try failed */
#define NS_PER_MS 1000000ull

struct push {
	const struct upload_target *t;
	struct push_opts o;
	struct net *net;
	struct push_stats stats;
};

/* A request until it is decided, and all that its item is packed again for. */
struct sending {
	struct push *p;
	const struct upload_request *r;
	struct upload_judgement *out;
	struct backoff backoff;
	unsigned few;
	uint64_t deadline_ns;
	bool is_done; /* this try */
};

int push_new(struct push **out, const struct upload_target *t, const struct push_opts *o,
	     struct why *why)
{
	struct push *p = calloc(1, sizeof(*p));
	int err = p ? net_new(&p->net, NULL, why) : why_say(why, -ENOMEM, "out of memory");

	if (err) {
		free(p);
		return err;
	}
	p->t = t;
	p->o = *o;
	p->o.few = o->few ?: FEW;
	p->o.backoff_least_ns = o->backoff_least_ns ?: LEAST_NS;
	p->o.backoff_most_ns = o->backoff_most_ns ?: MOST_NS;
	*out = p;
	return 0;
}

static void on_answer(void *ctx, struct net_answer *a)
{
	struct sending *s = ctx;

	s->p->stats.bytes += a->sent;
	upload_target_settle(s->p->t, s->r, a, s->out);
	s->is_done = true;
}

static int try_once(struct sending *s)
{
	_cleanup_free_ const char **headers = NULL;
	struct net *net = s->p->net;
	struct net_request request;
	uint64_t now_ns = monotonic_ns();
	int err = upload_target_request(s->p->t, s->r, &request, &headers);

	if (err)
		return err;
	request.total_ms = now_ns < s->deadline_ns ? (s->deadline_ns - now_ns) / NS_PER_MS + 1 : 1;
	s->is_done = false;
	s->p->stats.requests++;
	err = net_start(net, &request, on_answer, s, NULL);
	while (!err && !s->is_done)
		err = net_turn(net, 1000, -1);
	return err;
}

static bool may_be_sent_again(struct sending *s)
{
	if (s->out->verdict == UPLOAD_AGAIN_FEW)
		return ++s->few < s->p->o.few;
	return s->out->verdict == UPLOAD_AGAIN;
}

/* False if the time is over before it may be tried again. */
static bool wait_for_turn(struct sending *s)
{
	uint64_t wait_ns = backoff_next(&s->backoff, hash_random_seed(), s->out->retry_after_s);
	uint64_t now_ns = monotonic_ns();
	struct timespec ts;

	if (now_ns >= s->deadline_ns ||
	    wait_ns + s->p->o.timeout_ns / LEAST_TRY >= s->deadline_ns - now_ns)
		return false;
	if (s->p->o.on_wait)
		s->p->o.on_wait(s->p->o.ctx, s->out, wait_ns);
	ts = timespec_of(now_ns + wait_ns);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
	s->p->stats.retries++;
	return true;
}

static int result_of(const struct upload_judgement *j)
{
	switch (j->verdict) {
	case UPLOAD_DELIVERED:
	case UPLOAD_PARTIAL:
		return 0;
	case UPLOAD_WRONG:
		return -EACCES;
	case UPLOAD_AGAIN:
		return -ETIMEDOUT;
	default:
		return -EINVAL;
	}
}

static void begin_sending(struct sending *s)
{
	const struct push_opts *o = &s->p->o;

	s->backoff =
		(struct backoff){.least_ns = o->backoff_least_ns, .most_ns = o->backoff_most_ns};
	s->few = 0;
	s->deadline_ns = monotonic_ns() + o->timeout_ns;
}

static int send_one(struct sending *s)
{
	struct upload_judgement *out = s->out;
	bool is_again;
	int err;

	do {
		err = try_once(s);
		is_again = !err && may_be_sent_again(s) && wait_for_turn(s);
	} while (is_again && !out->repack);
	if (err)
		return why_say(&out->why, err, "%s", strerror(-err));
	if (out->repack && is_again)
		return 0;
	err = result_of(out);
	if (err || out->repack)
		return err;
	s->p->stats.samples += s->r->samples;
	if (out->verdict == UPLOAD_PARTIAL) {
		/* A server may say any number. */
		if (out->rejected > s->r->samples)
			out->rejected = s->r->samples;
		s->p->stats.rejected += out->rejected;
	}
	begin_sending(s);
	return 0;
}

/* All requests, or those up to one after which the item is to be packed again (s->out->repack). */
static int send_all(struct sending *s, const struct upload_requests *requests)
{
	struct upload_judgement part = {.verdict = UPLOAD_DELIVERED};
	int err = 0;

	*s->out = part;
	for (size_t i = 0; !err && !s->out->repack && i < requests->v.len; i++) {
		s->r = &requests->v.data[i];
		err = send_one(s);
		if (!err && s->out->verdict == UPLOAD_PARTIAL) {
			s->out->rejected += part.rejected;
			part = *s->out;
		}
	}
	if (!err && part.verdict == UPLOAD_PARTIAL)
		*s->out = part;
	return err;
}

int push_send(struct push *p, const struct upload_item *item, struct upload_judgement *out)
{
	struct sending s = {.p = p, .out = out};
	int err;

	begin_sending(&s);
	do {
		struct upload_requests requests = {0};

		*out = (struct upload_judgement){.verdict = UPLOAD_REFUSED, .retry_after_s = -1};
		err = p->t->kind->pack(p->t, item, &requests, &out->why);
		if (err && err != -ENOMEM)
			err = -EINVAL;
		err = err ?: send_all(&s, &requests);
		upload_requests_release(&requests);
	} while (!err && out->repack);
	return err;
}

void push_stats(const struct push *p, struct push_stats *out)
{
	*out = p->stats;
}

void push_free(struct push *p)
{
	if (!p)
		return;
	net_free(p->net);
	free(p);
}
