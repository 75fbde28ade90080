// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/worker_set.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "profiler/base/clock.h"

struct owned {
	_Atomic(struct worker *) worker; /* NULL: free */
	uint32_t uid;
	uint64_t used; /* the last one has the highest number */
	uint64_t used_ns;
};

struct worker_set {
	struct worker_opts opts;
	struct owned owned[WORKER_OWNERS_MAX]; /* the first is root's, and stays */
	uint64_t uses;
	atomic_bool cancelled;
};

int worker_set_new(struct worker_set **out, const struct worker_opts *opts)
{
	struct worker_set *s = calloc(1, sizeof(*s));
	struct worker *first;
	int err = s ? worker_new(&first, opts) : -ENOMEM;

	if (err) {
		free(s);
		return err;
	}
	s->opts = *opts;
	s->opts.like = first;
	s->opts.lazy = true;
	s->owned[0].worker = first;
	*out = s;
	return 0;
}

/* The others use the first one's spawner. */
void worker_set_free(struct worker_set *s)
{
	if (!s)
		return;
	/* They all end while the first is waited for. */
	for (size_t i = 0; i < WORKER_OWNERS_MAX; i++)
		if (s->owned[i].worker && worker_pid(s->owned[i].worker))
			kill(worker_pid(s->owned[i].worker), SIGKILL);
	for (size_t i = WORKER_OWNERS_MAX; i-- > 0;)
		worker_free(s->owned[i].worker);
	free(s);
}

static struct owned *find(struct worker_set *s, uint32_t uid)
{
	for (size_t i = 0; i < WORKER_OWNERS_MAX; i++)
		if (s->owned[i].worker && s->owned[i].uid == uid)
			return &s->owned[i];
	return NULL;
}

/* A free place, or the one that was not used for the longest time. */
static struct owned *make_room(struct worker_set *s)
{
	struct owned *best = &s->owned[1];

	for (size_t i = 1; i < WORKER_OWNERS_MAX; i++) {
		if (!s->owned[i].worker)
			return &s->owned[i];
		if (s->owned[i].used < best->used)
			best = &s->owned[i];
	}
	return best;
}

static struct owned *add(struct worker_set *s, uint32_t uid)
{
	struct owned *o = make_room(s);
	struct worker *w = o->worker;

	if (w) {
		worker_forget(w); /* its next reader knows nothing of the former owner's files */
	} else if (!worker_new(&w, &s->opts)) {
		o->worker = w;
		if (s->cancelled)
			worker_cancel(w);
	} else {
		return &s->owned[0];
	}
	o->uid = uid;
	return o;
}

struct worker *worker_set_for(struct worker_set *s, const struct sym_file *file)
{
	struct owned *o = find(s, file->uid);

	o = o ?: add(s, file->uid);
	o->used = ++s->uses;
	o->used_ns = monotonic_ns();
	return o->worker;
}

void worker_set_cancel(struct worker_set *s)
{
	s->cancelled = true;
	for (size_t i = 0; i < WORKER_OWNERS_MAX; i++)
		if (s->owned[i].worker)
			worker_cancel(s->owned[i].worker);
}

void worker_set_forget(struct worker_set *s)
{
	for (size_t i = 0; i < WORKER_OWNERS_MAX; i++)
		if (s->owned[i].worker)
			worker_forget(s->owned[i].worker);
}

void worker_set_rest(struct worker_set *s)
{
	uint64_t now = monotonic_ns();

	for (size_t i = 0; i < WORKER_OWNERS_MAX; i++) {
		struct owned *o = &s->owned[i];

		if (o->worker && worker_pid(o->worker) && now - o->used_ns > SYMBOLIZER_IDLE_NS)
			worker_forget(o->worker);
	}
}

void worker_set_abandon(struct worker_set *s)
{
	for (size_t i = WORKER_OWNERS_MAX; i-- > 0;)
		if (s->owned[i].worker)
			worker_abandon(s->owned[i].worker);
	free(s);
}

void worker_set_stats(const struct worker_set *s, struct symbolizer_stats *out)
{
	*out = (struct symbolizer_stats){0};
	for (size_t i = 0; i < WORKER_OWNERS_MAX; i++) {
		struct symbolizer_stats one;

		if (!s->owned[i].worker)
			continue;
		worker_stats(s->owned[i].worker, &one);
		out->lookups += one.lookups;
		out->cache_hits += one.cache_hits;
		out->files_opened += one.files_opened;
		out->evictions += one.evictions;
		out->limit_hits += one.limit_hits;
		out->bytes += one.bytes;
		out->bytes_peak += one.bytes_peak;
		out->worker_restarts += one.worker_restarts;
		out->files_failed += one.files_failed;
	}
}

pid_t worker_set_pid(const struct worker_set *s)
{
	return worker_pid(s->owned[0].worker);
}
