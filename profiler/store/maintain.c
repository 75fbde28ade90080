// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/maintain.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/store/compact.h"
#include "profiler/store/db.h"
#include "profiler/store/snapshot.h"
#include "profiler/store/store_internal.h"

/* --- which segments are to become one -------------------------------------------------------------- */

struct job {
	size_t first, n; /* in the snapshot; n 0: none */
	int64_t window_ns;
};

struct choice {
	struct store *s;
	const struct snapshot *all;
	int64_t now_ns;
};

static bool is_usable(const struct choice *c, size_t i)
{
	const struct snapshot_segment *s = &c->all->v.data[i];

	return !s->err && !s->is_replaced && !store_is_current(c->s, s->file.name);
}

/* Segments that were written window by window, of the same time. */
static struct job find_written(const struct choice *c)
{
	const struct snapshot_segment *v = c->all->v.data;
	struct job job = {0};

	for (size_t i = 0; i < c->all->v.len; i++) {
		if (!is_usable(c, i) || v[i].head.state == SEGMENT_COMPACTED) {
			if (job.n)
				break;
			continue;
		}
		if (job.n && v[i].head.begin_unix_ns != v[job.first].head.begin_unix_ns)
			break;
		job.first = job.n ? job.first : i;
		job.n++;
	}
	return job;
}

/* A time by the clock in which segments are merged once it has been over for a while. */
struct tier {
	int64_t width_ns, after_ns, window_ns;
};

static int64_t bucket_of(const struct snapshot_segment *s, const struct tier *t)
{
	return s->head.begin_unix_ns / t->width_ns;
}

/* One that is full takes no more, unless it is to be made coarser first. */
static bool belongs(const struct choice *c, size_t i, const struct tier *t)
{
	const struct segment_head *h = &c->all->v.data[i].head;

	return is_usable(c, i) && h->state == SEGMENT_COMPACTED &&
	       (bucket_of(&c->all->v.data[i], t) + 1) * t->width_ns <= c->now_ns - t->after_ns &&
	       h->span_ns <= t->width_ns && (!h->is_full || h->window_ns < t->window_ns);
}

static struct job find_run(const struct choice *c, const struct tier *t)
{
	const struct snapshot_segment *v = c->all->v.data;

	for (size_t i = 0, next; i < c->all->v.len; i = next) {
		bool coarser = false;

		for (next = i; next < c->all->v.len && belongs(c, next, t); next++) {
			if (bucket_of(&v[next], t) != bucket_of(&v[i], t))
				break;
			coarser |= v[next].head.window_ns < t->window_ns;
		}
		if (next - i > 1 || coarser)
			return (struct job){i, next - i, t->window_ns};
		next += next == i;
	}
	return (struct job){0};
}

static struct job find_job(const struct choice *c)
{
	const struct tier block = {MAINTAIN_BLOCK_NS, 0, 0};
	const struct tier day = {MAINTAIN_DAY_NS, (int64_t)c->s->opts.coarse_after_ns,
				 (int64_t)c->s->opts.coarse_window_ns};
	struct job job = find_written(c);

	if (!job.n)
		job = find_run(c, &day);
	return job.n ? job : find_run(c, &block);
}

/* --- doing it ------------------------------------------------------------------------------------- */

/* Readers cannot finish what somebody who was killed has begun; the next turn sees whether this could. */
static void mend(struct store *s, const char *name)
{
	_cleanup_free_ char *path = NULL;
	int err = dir_path(&s->dir, name, &path) ?: db_mend(path);

	if (err)
		log_debug("%s cannot be mended: %s", name, strerror(-err));
}

/* One that says nothing any more goes out of the way; so does one whose place another has taken. */
static int clear_away(struct store *s, const struct snapshot *all)
{
	int done = 0;

	for (size_t i = 0; i < all->v.len; i++) {
		const struct snapshot_segment *f = &all->v.data[i];

		if (store_is_current(s, f->file.name) || f->file.is_damaged)
			continue;
		if (f->is_replaced || f->file.is_empty || f->err == -ENODATA) {
			done |= !dir_remove(&s->dir, f->file.name);
		} else if (f->err == -EROFS) {
			mend(s, f->file.name);
		} else if (f->err == -EBADMSG && !dir_put_aside(&s->dir, f->file.name)) {
			store_count(s, quarantined);
			done = 1;
		}
	}
	return done;
}

static uint64_t bytes_of_job(const struct snapshot *all, const struct job *job)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < job->n; i++)
		bytes += all->v.data[job->first + i].file.bytes;
	return bytes;
}

static int run_job(struct store *s, const struct snapshot *all, const struct job *job,
		   struct moment now)
{
	struct compact_opts opts = {.window_ns = job->window_ns,
				    .max_bytes = s->opts.index_bytes * 2};
	struct compact_result result;
	/* For a while there are both, the new one and those whose place it takes. */
	int err = retain(s, bytes_of_job(all, job), now);

	err = err ?: compact(&s->dir, &all->v.data[job->first], job->n, &opts, &result);
	if (err)
		return err == -ENOENT ? 0 : err; /* retention has taken it */
	pthread_mutex_lock(&s->mutex);
	s->stats.compacted += result.segments;
	s->stats.quarantined += result.damaged;
	pthread_mutex_unlock(&s->mutex);
	return 1;
}

static int maintain_locked(struct store *s, struct moment now)
{
	struct snapshot all;
	struct job job;
	int got = retain(s, 0, now) ?: snapshot_take(&all, &s->dir, 0, INT64_MAX);

	if (got)
		return got;
	got = clear_away(s, &all);
	if (!got) {
		job = find_job(&(struct choice){s, &all, now.unix_ns});
		got = job.n ? run_job(s, &all, &job, now) : 0;
	}
	snapshot_release(&all);
	return got;
}

int maintain(struct store *s, struct moment now)
{
	_cleanup_close_ int lock = -1;
	pid_t pid;

	lock = dir_lock(&s->dir, DIR_MAINTENANCE_LOCK, &pid);
	if (lock < 0)
		return lock == -EBUSY ? 0 : lock; /* somebody removes: later */
	return maintain_locked(s, now);
}

int store_maintain(struct store *s)
{
	return s->opts.access == STORE_WRITE ? maintain(s, s->clock()) : -EINVAL;
}
