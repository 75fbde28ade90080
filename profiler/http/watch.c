// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/watch.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "profiler/base/clock.h"
#include "profiler/metrics/metrics.h"

#define NS_PER_S 1000000000ull

struct watched {
	struct MHD_Connection *connection; /* NULL: free */
	const struct listener *listener;
	int fd;
	uint64_t until_ns; /* CLOCK_MONOTONIC; UINT64_MAX: no end */
	size_t bytes;	   /* of an answer that the client has yet to take */
};

struct watch {
	pthread_mutex_t lock;
	struct metrics *metrics;
	size_t bytes; /* of all */
	struct watched all[WATCH_MAX];
};

struct watch *watch_new(struct metrics *m)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->metrics = m;
	pthread_mutex_init(&w->lock, NULL);
	return w;
}

void watch_free(struct watch *w)
{
	if (w)
		pthread_mutex_destroy(&w->lock);
	free(w);
}

static struct watched *find(struct watch *w, const struct MHD_Connection *c)
{
	for (size_t i = 0; i < sizeof(w->all) / sizeof(w->all[0]); i++)
		if (w->all[i].connection == c)
			return &w->all[i];
	return NULL;
}

static uint64_t end_of(unsigned seconds)
{
	return seconds ? monotonic_ns() + seconds * NS_PER_S : UINT64_MAX;
}

static void set_bytes(struct watch *w, struct watched *slot, size_t bytes)
{
	w->bytes += bytes - slot->bytes;
	slot->bytes = bytes;
}

/* The library closes a connection after watch_remove(): until then the descriptor is its own. */
static void end(struct watch *w, struct watched *slot)
{
	shutdown(slot->fd, SHUT_RDWR);
	slot->until_ns = UINT64_MAX;
	set_bytes(w, slot, 0);
	metrics_add(w->metrics, METRIC_http_slow, 1);
}

static void make_room(struct watch *w, const struct listener *l)
{
	struct watched *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < WATCH_MAX; i++) {
		struct watched *slot = &w->all[i];

		if (!slot->connection || slot->listener != l)
			continue;
		n++;
		if (slot->until_ns != UINT64_MAX && (!first || slot->until_ns < first->until_ns))
			first = slot;
	}
	if (first && n >= WATCH_CONNECTIONS - WATCH_ROOM)
		end(w, first);
}

void watch_add(struct watch *w, struct MHD_Connection *c, const struct listener *l,
	       unsigned seconds)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct watched *slot;

	pthread_mutex_lock(&w->lock);
	make_room(w, l);
	slot = info ? find(w, NULL) : NULL;
	if (slot)
		*slot = (struct watched){c, l, info->connect_fd, end_of(seconds), 0};
	pthread_mutex_unlock(&w->lock);
}

void watch_extend(struct watch *w, struct MHD_Connection *c, unsigned seconds)
{
	struct watched *slot;

	pthread_mutex_lock(&w->lock);
	slot = find(w, c);
	if (slot) {
		set_bytes(w, slot, 0);
		slot->until_ns = end_of(seconds);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Of those that hold an answer, but for one. */
static struct watched *slowest(struct watch *w, const struct watched *but)
{
	struct watched *first = NULL;

	for (size_t i = 0; i < WATCH_MAX; i++) {
		struct watched *slot = &w->all[i];

		if (slot != but && slot->bytes && (!first || slot->until_ns < first->until_ns))
			first = slot;
	}
	return first;
}

void watch_answer(struct watch *w, struct MHD_Connection *c, size_t bytes, unsigned seconds)
{
	struct watched *slot, *other;

	pthread_mutex_lock(&w->lock);
	slot = find(w, c);
	if (slot) {
		set_bytes(w, slot, bytes);
		slot->until_ns = end_of(seconds);
	}
	while (slot && w->bytes > WATCH_BYTES && (other = slowest(w, slot)))
		end(w, other);
	pthread_mutex_unlock(&w->lock);
}

void watch_remove(struct watch *w, struct MHD_Connection *c)
{
	struct watched *slot;

	pthread_mutex_lock(&w->lock);
	slot = find(w, c);
	if (slot) {
		set_bytes(w, slot, 0);
		*slot = (struct watched){0};
	}
	pthread_mutex_unlock(&w->lock);
}

void watch_look(struct watch *w)
{
	uint64_t now_ns = monotonic_ns();

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < WATCH_MAX; i++)
		if (w->all[i].connection && w->all[i].until_ns <= now_ns)
			end(w, &w->all[i]);
	pthread_mutex_unlock(&w->lock);
}

void watch_end_all(struct watch *w)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < WATCH_MAX; i++)
		if (w->all[i].connection)
			shutdown(w->all[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&w->lock);
}
