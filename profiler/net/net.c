// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/net/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/net/net_answer.h"
#include "profiler/net/net_library.h"
#include "profiler/net/net_priv.h"
#include "profiler/net/net_sockets.h"

#define MAX_CONNECTIONS 64l /* that stay open after their request */
/* CURLPIPE_NOTHING: each request under way has a connection of its own. libcurl 7.88 would put requests over HTTP/2
 * together that fail then, and leave such a connection to requests of HTTP/1. */
#define ONE_EACH 0l

struct net {
	struct net_library lib;
	void *multi;
	struct net_sockets *sockets;
	struct net_transfer *first; /* the newest */
	size_t running;
	size_t failed; /* of them those that have no handle of libcurl, and have ended */
};

int net_new(struct net **out, const char *soname, struct why *why)
{
	struct net *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return why_say(why, -ENOMEM, "out of memory");
	err = net_library_load(&n->lib, soname, why);
	if (!err && (!(n->sockets = net_sockets_new()) || !(n->multi = n->lib.multi_init()) ||
		     n->lib.multi_setopt(n->multi, MOPT_MAXCONNECTS, MAX_CONNECTIONS) ||
		     n->lib.multi_setopt(n->multi, MOPT_PIPELINING, ONE_EACH)))
		err = why_say(why, -ENOMEM, "out of memory");
	if (err)
		net_free(n);
	else
		*out = n;
	return err;
}

/* --- transfers ------------------------------------------------------------------------------------ */

static void add(struct net *n, struct net_transfer *t)
{
	t->next = n->first;
	if (n->first)
		n->first->prev = t;
	n->first = t;
	n->running++;
	n->failed += !t->easy;
}

static void detach(struct net *n, struct net_transfer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		n->first = t->next;
	if (t->next)
		t->next->prev = t->prev;
	n->running--;
	n->failed -= !t->easy;
	if (t->easy)
		n->lib.multi_remove_handle(n->multi, t->easy);
}

static void free_easy(struct net_transfer *t)
{
	if (t->easy)
		t->lib->easy_cleanup(t->easy);
	t->lib->slist_free_all(t->headers);
	t->easy = t->headers = NULL;
}

static void free_transfer(struct net_transfer *t)
{
	free_easy(t);
	net_answer_release(&t->answer);
	free(t);
}

/* Its callback may start others, and cancel them. */
static void finish(struct net *n, struct net_transfer *t)
{
	detach(n, t);
	free_easy(t);
	t->done(t->ctx, &t->answer);
	free_transfer(t);
}

int net_start(struct net *n, const struct net_request *r, net_done *done, void *ctx,
	      struct net_transfer **out)
{
	struct net_transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->lib = &n->lib;
	t->sockets = n->sockets;
	t->request = *r;
	t->done = done;
	t->ctx = ctx;
	net_answer_init(&t->answer);
	if (net_request_prepare(t)) {
		free_easy(t);
	} else if (n->lib.multi_add_handle(n->multi, t->easy)) {
		free_transfer(t);
		return -ENOMEM;
	}
	add(n, t);
	if (out)
		*out = t;
	return 0;
}

void net_cancel(struct net *n, struct net_transfer *t)
{
	detach(n, t);
	free_transfer(t);
}

void net_free(struct net *n)
{
	if (!n)
		return;
	while (n->first)
		net_cancel(n, n->first);
	if (n->multi)
		n->lib.multi_cleanup(n->multi);
	net_sockets_free(n->sockets);
	free(n);
}

size_t net_running(const struct net *n)
{
	return n->running;
}

/* --- turns ---------------------------------------------------------------------------------------- */

/* Only as many as there are now: a callback may start the same again. */
static void finish_failed(struct net *n)
{
	for (size_t left = n->failed; left && n->failed; left--) {
		struct net_transfer *t = n->first;

		while (t->easy)
			t = t->next;
		finish(n, t);
	}
}

static int finish_ended(struct net *n)
{
	struct curl_msg *msg;
	int left, count = 0;

	while ((msg = n->lib.multi_info_read(n->multi, &left))) {
		int result = msg->data.result;
		struct net_transfer *t = NULL;

		if (msg->msg != MSG_DONE ||
		    n->lib.easy_getinfo(msg->easy, INFO_PRIVATE, (char **)&t) || !t)
			continue;
		net_answer_finish(t, result);
		finish(n, t);
		count++;
	}
	return count;
}

static int perform(struct net *n)
{
	int running, err;

	net_sockets_turn(n->sockets, true);
	err = n->lib.multi_perform(n->multi, &running) ? -EIO : 0;
	net_sockets_turn(n->sockets, false);
	return err;
}

int net_turn(struct net *n, int timeout_ms, int fd)
{
	struct curl_waitfd also = {.fd = fd, .events = WAIT_POLLIN};
	int ready, err = perform(n);

	if (err)
		return err;
	if (n->failed || finish_ended(n))
		timeout_ms = 0;
	if (n->lib.multi_poll(n->multi, &also, fd >= 0, timeout_ms, &ready))
		return -EIO;
	err = perform(n);
	finish_failed(n);
	finish_ended(n);
	return err;
}

/* --- one ------------------------------------------------------------------------------------------ */

struct fetched {
	struct net_answer *out;
	bool is_here;
};

static void keep(void *ctx, struct net_answer *answer)
{
	struct fetched *f = ctx;

	*f->out = *answer;
	answer->body = (struct buf){0};
	f->is_here = true;
}

int net_fetch(const struct net_request *r, const char *soname, struct net_answer *out)
{
	struct fetched f = {out, false};
	struct net *n = NULL;
	struct why why = {0};
	int err = net_new(&n, soname, &why);

	net_answer_init(out);
	err = err ?: net_start(n, r, keep, &f, NULL);
	while (!err && !f.is_here)
		err = net_turn(n, 1000, -1);
	if (err && !f.is_here) {
		out->err = err;
		out->is_bad_request = err == -ENOSYS;
		snprintf(out->why, sizeof(out->why), "%.399s",
			 *why.text ? why.text : strerror(-err));
	}
	net_free(n);
	return out->err;
}
