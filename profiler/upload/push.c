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
#define NS_PER_MS 1000000ull

struct push {
	const struct upload_target *t;
	struct push_opts o;
	struct net *net;
	struct push_stats stats;
};

/* One request until it is decided. */
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
	upload_target_judge(s->p->t, a, s->out);
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

	if (now_ns >= s->deadline_ns || wait_ns >= s->deadline_ns - now_ns)
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

static int send_one(struct push *p, const struct upload_request *r, struct upload_judgement *out)
{
	struct sending s = {
		.p = p,
		.r = r,
		.out = out,
		.backoff = {.least_ns = p->o.backoff_least_ns, .most_ns = p->o.backoff_most_ns},
		.deadline_ns = monotonic_ns() + p->o.timeout_ns,
	};
	int err;

	do
		err = try_once(&s);
	while (!err && may_be_sent_again(&s) && wait_for_turn(&s));
	if (err)
		return why_say(&out->why, err, "%s", strerror(-err));
	err = result_of(out);
	if (!err)
		p->stats.samples += r->samples;
	if (out->verdict == UPLOAD_PARTIAL)
		p->stats.rejected += out->rejected;
	return err;
}

int push_send(struct push *p, const struct upload_item *item, struct upload_judgement *out)
{
	struct upload_judgement part = {.verdict = UPLOAD_DELIVERED};
	struct upload_requests requests = {0};
	int err;

	*out = (struct upload_judgement){.verdict = UPLOAD_REFUSED, .retry_after_s = -1};
	err = p->t->kind->pack(p->t, item, &requests, &out->why);
	if (err && err != -ENOMEM)
		err = -EINVAL;
	if (!err)
		out->verdict = UPLOAD_DELIVERED;
	for (size_t i = 0; !err && i < requests.v.len; i++) {
		err = send_one(p, &requests.v.data[i], out);
		if (!err && out->verdict == UPLOAD_PARTIAL) {
			out->rejected += part.rejected;
			part = *out;
		}
	}
	if (!err && part.verdict == UPLOAD_PARTIAL)
		*out = part;
	upload_requests_release(&requests);
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
