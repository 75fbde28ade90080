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
#include "profiler/agent/storing.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/metrics/metrics.h"
#include "profiler/store/store.h"

#define UPKEEP_NS 60000000000ull /* how often the store is looked after */

struct store_sink {
	struct window_sink base;
	struct store *store;
	const char *path; /* the configuration's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* CLOCK_MONOTONIC */
	bool ends;	     /* under the lock */
	struct metrics *metrics;
	struct storing storing;	 /* of the thread that appends */
	pthread_mutex_t looking; /* of what follows */
	struct store_stats told;
};

/* --- what is said of it ------------------------------------------------------------------------- */

static void set_gauges(struct store_sink *s, const struct store_state *now)
{
	metrics_set(s->metrics, METRIC_store_bytes, now->bytes);
	metrics_set(s->metrics, METRIC_store_oldest_ns, (uint64_t)now->oldest_unix_ns);
	metrics_set(s->metrics, METRIC_store_free_bytes, now->free_bytes);
	metrics_set(s->metrics, METRIC_store_min_free_bytes, now->min_free_bytes);
}

static void say_dropped(uint64_t segments, const struct store_state *now)
{
	struct why line;

	storing_dropped(segments, now, &line);
	log_warning("%s", line.text);
}

/* Counters, and a line of what went for space. */
static void tell_dropped(struct store_sink *s, const struct store_state *now)
{
	struct store_stats stats;
	uint64_t for_space;

	pthread_mutex_lock(&s->looking);
	store_stats(s->store, &stats);
	for_space = stats.dropped_for_space - s->told.dropped_for_space;
	metrics_add(s->metrics, METRIC_dropped_for_space, for_space);
	metrics_add(s->metrics, METRIC_dropped_for_size,
		    stats.dropped_for_size - s->told.dropped_for_size);
	metrics_add(s->metrics, METRIC_dropped_for_age,
		    stats.dropped_for_age - s->told.dropped_for_age);
	s->told = stats;
	pthread_mutex_unlock(&s->looking);
	if (for_space)
		say_dropped(for_space, now);
}

/* Any thread. 0 or -errno. */
static int look_at_store(struct store_sink *s, struct store_state *now)
{
	int err = store_look(s->store, now);

	if (!err) {
		set_gauges(s, now);
		tell_dropped(s, now);
	}
	return err;
}

static bool has_dropped(struct store_sink *s)
{
	struct store_stats stats;
	bool yes;

	pthread_mutex_lock(&s->looking);
	store_stats(s->store, &stats);
	yes = stats.dropped_for_space != s->told.dropped_for_space;
	pthread_mutex_unlock(&s->looking);
	return yes;
}

/* Of a store that takes windows, upkeep tells the rest. */
static void tell_what_became(struct store_sink *s, int failed)
{
	struct store_state now;
	struct why line;
	int err = -EAGAIN;

	if (failed || s->storing.fails || has_dropped(s))
		err = look_at_store(s, &now);
	switch (storing_take(&s->storing, failed, err ? NULL : &now, monotonic_ns(), &line)) {
	case STORING_NO_NEWS:
		return;
	case STORING_RESUMED:
		log_info("%s", line.text);
		break;
	default:
		log_warning("%s", line.text);
	}
	metrics_set(s->metrics, METRIC_store_open, !failed);
}

static int append(struct window_sink *base, const struct profile *p, const struct quality *q,
		  int64_t begin_unix_ns, uint64_t duration_ns)
{
	struct store_sink *s = (struct store_sink *)base;
	int err;

	if (!store_is_at(s->store, s->path))
		return -ESTALE;
	err = store_append(s->store, p, q, begin_unix_ns, duration_ns);

	tell_what_became(s, err);
	return err;
}

/* --- upkeep ------------------------------------------------------------------------------------- */

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
	struct store_state now;

	look_at_store(s, &now);
	while (!wait_for_end(s)) {
		int err;

		do
			err = store_maintain(s->store);
		while (err == 1 && !is_ending(s));
		if (err < 0)
			log_warning("the store cannot be looked after: %s", strerror(-err));
		look_at_store(s, &now);
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
	pthread_mutex_destroy(&s->looking);
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
	pthread_mutex_init(&s->looking, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&s->thread, NULL, look_after, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		pthread_cond_destroy(&s->wake);
		pthread_mutex_destroy(&s->lock);
		pthread_mutex_destroy(&s->looking);
	}
	return err;
}

int store_sink_open(struct window_sink **out, const struct config *c, struct metrics *metrics,
		    struct why *why)
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
	s->metrics = metrics;
	s->path = c->store_path;
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
