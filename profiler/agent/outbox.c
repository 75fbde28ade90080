// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/window_wire.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/vec.h"

#define FLUSH_TURN_MS 50

struct parcel {
	struct window_head head;
	int fd;
	bool sent, was_sent; /* to this writer; to an earlier one */
	struct quality quality;
};

struct outbox {
	int sock; /* -1: none */
	VEC(struct parcel) parcels;
	size_t windows_max;
	uint64_t bytes; /* of all parcels */
	uint64_t seq, stored, lost;
	struct quality lost_quality;
};

int outbox_new(struct outbox **out, size_t windows_max)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->sock = -1;
	o->windows_max = windows_max ?: OUTBOX_WINDOWS_MAX;
	*out = o;
	return 0;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->parcels.len; i++)
		close(o->parcels.data[i].fd);
	vec_release(&o->parcels);
	if (o->sock >= 0)
		close(o->sock);
	free(o);
}

/* --- losses ------------------------------------------------------------------------------------- */

/* Every timer period of the window stays accounted for: what was recorded is lost now. */
static void count_lost(struct outbox *o, const struct quality *q)
{
	struct quality lost = {
		.expected = q->expected,
		.idle = q->idle,
		.stolen = q->stolen,
		.filtered = q->filtered,
		.windows_lost = q->windows_lost + 1,
		.restarts = q->restarts,
		.unsampled_ms = q->unsampled_ms,
	};

	memcpy(lost.lost, q->lost, sizeof(lost.lost));
	lost.lost[LOSS_not_stored] += q->recorded;
	quality_add(&o->lost_quality, &lost);
	o->lost++;
}

void outbox_lose(struct outbox *o, const struct quality *q, int err)
{
	count_lost(o, q);
	log_warning("a window is lost, %" PRIu64 " so far: %s%s", o->lost,
		    err == -EDQUOT ? "the store writer does not take it" : "it cannot be stored: ",
		    err == -EDQUOT ? "" : strerror(-err));
}

void outbox_take_lost(struct outbox *o, struct quality *out)
{
	*out = o->lost_quality;
	o->lost_quality = (struct quality){0};
}

/* --- the channel -------------------------------------------------------------------------------- */

static void disconnect(struct outbox *o)
{
	if (o->sock < 0)
		return;
	close(steal_fd(&o->sock));
	for (size_t i = 0; i < o->parcels.len; i++) {
		struct parcel *p = &o->parcels.data[i];

		p->was_sent |= p->sent;
		p->sent = false;
	}
}

static void remove_parcel(struct outbox *o, size_t i)
{
	struct parcel *p = &o->parcels.data[i];

	o->bytes -= p->head.bytes;
	close(p->fd);
	memmove(p, p + 1, (o->parcels.len - i - 1) * sizeof(*p));
	o->parcels.len--;
}

/* A number that is not ours says nothing. */
static void take_ack(struct outbox *o, const struct window_ack *a)
{
	for (size_t i = 0; i < o->parcels.len; i++) {
		struct parcel *p = &o->parcels.data[i];

		if (p->head.seq != a->seq || !p->sent)
			continue;
		if (a->err) /* the writer has said why */
			count_lost(o, &p->quality);
		else
			o->stored++;
		remove_parcel(o, i);
		return;
	}
}

static void take_acks(struct outbox *o)
{
	struct window_ack a;
	int r = 0;

	while (o->sock >= 0 && (r = window_ack_recv(o->sock, &a)) > 0)
		take_ack(o, &a);
	if (r < 0)
		disconnect(o);
}

/* In their order; the socket has room for some, the next turn sends more. */
static void send_waiting(struct outbox *o)
{
	for (size_t i = 0; o->sock >= 0 && i < o->parcels.len; i++) {
		struct parcel *p = &o->parcels.data[i];
		int err;

		if (p->sent)
			continue;
		p->head.again = p->was_sent;
		err = window_send(o->sock, &p->head, p->fd);
		if (!err)
			p->sent = true;
		else if (err == -EPIPE || err == -ECONNRESET)
			disconnect(o);
		else
			return; /* it has no room now */
	}
}

void outbox_connect(struct outbox *o, int sock)
{
	disconnect(o);
	o->sock = sock;
	send_waiting(o);
}

void outbox_turn(struct outbox *o)
{
	take_acks(o);
	send_waiting(o);
}

/* --- windows ------------------------------------------------------------------------------------ */

static int put(struct outbox *o, const struct profile *p, const struct window_head *h,
	       const struct quality *q)
{
	struct parcel parcel = {.head = *h, .quality = *q};
	int err;

	/* Those belong to the caller. */
	memset(&parcel.quality.blame, 0, sizeof(parcel.quality.blame));
	if (o->parcels.len >= o->windows_max)
		return -EDQUOT;
	parcel.fd = window_pack(p, &parcel.head.bytes);
	if (parcel.fd < 0)
		return parcel.fd;
	err = o->bytes + parcel.head.bytes > OUTBOX_BYTES_MAX && o->parcels.len
		      ? -EDQUOT
		      : vec_push(&o->parcels, parcel);
	if (err) {
		close(parcel.fd);
		return err;
	}
	o->bytes += parcel.head.bytes;
	return 0;
}

int outbox_put(struct outbox *o, const struct profile *p, const struct quality *q,
	       int64_t begin_unix_ns, uint64_t duration_ns)
{
	struct window_head h = {
		.seq = ++o->seq,
		.begin_unix_ns = begin_unix_ns,
		.duration_ns = duration_ns,
	};
	int err;

	outbox_turn(o);
	err = put(o, p, &h, q);
	if (err)
		outbox_lose(o, q, err);
	send_waiting(o);
	return err;
}

int outbox_flush(struct outbox *o, uint64_t deadline_ns)
{
	outbox_turn(o);
	while (o->parcels.len && monotonic_ns() < deadline_ns) {
		struct pollfd p = {.fd = o->sock, .events = POLLIN};

		poll(&p, 1, FLUSH_TURN_MS);
		outbox_turn(o);
	}
	return o->parcels.len ? -ETIMEDOUT : 0;
}

void outbox_counts(const struct outbox *o, struct outbox_counts *out)
{
	*out = (struct outbox_counts){
		.stored = o->stored,
		.lost = o->lost,
		.waiting = o->parcels.len,
	};
	for (size_t i = 0; i < o->parcels.len; i++)
		out->unsent += !o->parcels.data[i].sent && !o->parcels.data[i].was_sent;
}
