// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/store_sink.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/agent/config_schema.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/store/store.h"

#define UPKEEP_NS 60000000000ull /* how often the store is looked after */

struct store_sink {
	struct window_sink base;
	struct store *store;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* CLOCK_MONOTONIC */
	bool ends;	     /* under the lock */
};

static int append(struct window_sink *base, const struct profile *p, const struct quality *q,
		  int64_t begin_unix_ns, uint64_t duration_ns)
{
	return store_append(((struct store_sink *)base)->store, p, q, begin_unix_ns, duration_ns);
}

/* Until the next time, or the end: true. */
static bool wait_for_end(struct store_sink *s)
{
	struct timespec until = timespec_of(monotonic_ns() + UPKEEP_NS);
	bool ends;

	pthread_mutex_lock(&s->lock);
	while (!s->ends && pthread_cond_timedwait(&s->wake, &s->lock, &until) != ETIMEDOUT)
		;
	ends = s->ends;
	pthread_mutex_unlock(&s->lock);
	return ends;
}

static bool is_ending(struct store_sink *s)
{
	bool ends;

	pthread_mutex_lock(&s->lock);
	ends = s->ends;
	pthread_mutex_unlock(&s->lock);
	return ends;
}

static void *look_after(void *ctx)
{
	struct store_sink *s = ctx;

	while (!wait_for_end(s)) {
		int err;

		do
			err = store_maintain(s->store);
		while (err == 1 && !is_ending(s));
		if (err < 0)
			log_warning("the store cannot be looked after: %s", strerror(-err));
	}
	return NULL;
}

static void close_sink(struct window_sink *base)
{
	struct store_sink *s = (struct store_sink *)base;

	pthread_mutex_lock(&s->lock);
	s->ends = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	store_close(s->store);
	free(s);
}

/* Signals are for the agent's own thread. */
static int start_thread(struct store_sink *s)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&s->thread, NULL, look_after, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		pthread_cond_destroy(&s->wake);
		pthread_mutex_destroy(&s->lock);
	}
	return err;
}

int store_sink_open(struct window_sink **out, const struct config *c, struct why *why)
{
	struct store_opts opts = {
		.access = STORE_WRITE,
		.pid = getppid(), /* the supervisor is the agent */
		.max_bytes = c->store_max_bytes,
		.max_age_ns = c->store_max_age_ns,
		.min_free_bytes = c->store_min_free_bytes,
	};
	struct store_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return why_say(why, -ENOMEM, "out of memory");
	s->base = (struct window_sink){.append = append, .close = close_sink};
	err = store_open(&s->store, c->store_path, &opts, why);
	if (err) {
		free(s);
		return err;
	}
	err = start_thread(s);
	if (err) {
		store_close(s->store);
		free(s);
		return why_say(why, err, "no thread for the store: %s", strerror(-err));
	}
	*out = &s->base;
	return 0;
}
