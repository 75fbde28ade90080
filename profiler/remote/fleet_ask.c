// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to a profile store, and what its answers mean for who asks. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/remote/fleet_priv.h"

#define CONNECT_MS 10000
#define TOTAL_MS   300000
#define STALL_MS   60000

int fleet_fail(const struct fleet *f, int err, struct why *why, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return why_say(why, err, "%s: %s", f->t->shown, text);
}

uint64_t fleet_left_ms(const struct fleet *f, uint64_t most_ms)
{
	uint64_t now_ns = monotonic_ns(),
		 left_ms = now_ns < f->end_ns ? (f->end_ns - now_ns) / 1000000 : 0;

	return left_ms < most_ms ? left_ms : most_ms;
}

/* Clocks and timers differ a little. */
bool fleet_is_late(const struct fleet *f)
{
	return fleet_left_ms(f, 100) < 100;
}

int fleet_fail_late(const struct fleet *f, struct why *why)
{
	uint64_t total_ms = f->q->total_ms ?: FLEET_MAX_MINUTES * 60000ull;

	return fleet_fail(f, -ETIMEDOUT, why,
			  "the answer was not complete after %" PRIu64
			  " s: ask for a shorter time (--since, --until) or for less (--where)",
			  total_ms / 1000);
}

struct fleet_transfer {
	struct fleet *f;
	struct upload_request request;
	const char **headers;
	bool is_of_kind;
	fleet_done *done;
	void *ctx;
};

static void transfer_free(struct fleet_transfer *t)
{
	vec_release(&t->request.headers); /* they are borrowed */
	free(t->request.url);
	free(t->headers);
	free(t);
}

/* What the kinds say of other calls than their own is of HTTP alone. */
static void judge(const struct fleet_transfer *t, const struct net_answer *a,
		  struct upload_judgement *out)
{
	const struct upload_kind plain = {.name = t->f->t->kind->name};
	struct upload_target any = *t->f->t;

	if (!t->is_of_kind)
		any.kind = &plain;
	upload_target_judge(&any, a, out);
}

static int error_of(const struct net_answer *a)
{
	if (a->err)
		return a->err;
	return a->status == 401 || a->status == 403   ? -EACCES
	       : a->status == 404		      ? -ENOENT
	       : a->status == 429 || a->status >= 500 ? -EBUSY
						      : -EBADMSG;
}

static void on_answer(void *ctx, struct net_answer *a)
{
	struct fleet_transfer *t = ctx;
	struct upload_judgement j;
	struct why why = {""};
	int err = 0;

	judge(t, a, &j);
	if (a->err == -ETIMEDOUT && fleet_is_late(t->f))
		err = fleet_fail_late(t->f, &why);
	else if (j.verdict != UPLOAD_DELIVERED || a->status != 200)
		err = fleet_fail(t->f, error_of(a), &why, "%s", j.why.text);
	t->done(t->ctx, err, &a->body, &why);
	transfer_free(t);
}

static int fill(struct fleet_transfer *t, const struct fleet_call *c)
{
	struct upload_request *r = &t->request;
	struct buf url = {0};
	size_t len = strlen(t->f->t->path);
	int err = 0;

	while (len && t->f->t->path[len - 1] == '/' && *c->path == '/')
		len--;
	buf_str(&url, t->f->t->base);
	buf_add(&url, t->f->t->path, len);
	buf_str(&url, c->path);
	r->url = buf_take(&url);
	r->method = c->method;
	r->is_signed = c->is_signed;
	r->version = NET_HTTP1;
	for (const char *const *h = c->headers; !err && h && *h; h++)
		err = vec_push(&r->headers, (char *)*h);
	return r->url ? err : -ENOMEM;
}

int fleet_start(struct fleet *f, const struct fleet_call *c, fleet_done *done, void *ctx)
{
	struct fleet_transfer *t = calloc(1, sizeof(*t));
	struct net_request request;
	/* Where none is left it ends at once, by the same way as one that is late. */
	uint64_t left_ms = fleet_left_ms(f, TOTAL_MS) ?: 1;
	int err;

	if (!t)
		return -ENOMEM;
	t->f = f;
	t->is_of_kind = c->is_of_kind;
	t->done = done;
	t->ctx = ctx;
	err = fill(t, c) ?: upload_target_request(f->t, &t->request, &request, &t->headers);
	request.body = c->body;
	request.len = c->len;
	request.connect_ms = CONNECT_MS;
	request.total_ms = left_ms;
	request.stall_ms = STALL_MS;
	request.max_bytes = c->max_bytes ?: FLEET_MAX_ANSWER;
	err = err ?: net_start(f->net, &request, on_answer, t, NULL);
	if (err)
		transfer_free(t);
	return err;
}

struct waiting {
	struct buf *out;
	struct why *why;
	int err;
	bool is_done;
};

static void keep(void *ctx, int err, const struct buf *body, const struct why *why)
{
	struct waiting *w = ctx;

	w->err = err;
	w->is_done = true;
	if (err) {
		why_say(w->why, err, "%s", why->text);
		return;
	}
	buf_add(w->out, body->data, body->len);
	w->err = w->out->err;
}

int fleet_ask(struct fleet *f, const struct fleet_call *c, struct buf *out, struct why *why)
{
	struct waiting w = {.out = out, .why = why};
	int err = fleet_start(f, c, keep, &w);

	while (!err && !w.is_done)
		err = net_turn(f->net, 1000, -1);
	err = err ?: w.err;
	if (err && why && !*why->text)
		why_say(why, err, "%s", strerror(-err));
	return err;
}
