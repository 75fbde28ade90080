// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/retain.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/db.h"
#include "profiler/store/schema.h"
#include "profiler/store/store_internal.h"

#define CLOCK_STEP_NS	  (600 * 1000000000ll)
#define CLOCK_DISTRUST_NS (3600 * 1000000000ll)
/* Once a store is too large it is cut below its bound by this part of it, so as not to be at once again. */
#define SLACK 16

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

struct moment moment_now(void)
{
	return (struct moment){read_clock(CLOCK_REALTIME), read_clock(CLOCK_BOOTTIME)};
}

/* Whether it is as late as the clock says, as far as that can be known. */
static bool believes_clock(struct store *s, struct moment now)
{
	int64_t offset = now.unix_ns - now.boot_ns;

	if (s->retention.offset_ns && llabs(offset - s->retention.offset_ns) > CLOCK_STEP_NS)
		s->retention.distrust_until_boot_ns = now.boot_ns + CLOCK_DISTRUST_NS;
	s->retention.offset_ns = offset;
	return now.boot_ns >= s->retention.distrust_until_boot_ns;
}

/* Of one that cannot be read: an hour after its beginning. */
static int64_t end_of(const struct store *s, const struct dir_entry *e)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	_cleanup_free_ char *path = NULL;
	struct segment_head head;

	if (e->is_damaged || dir_path(&s->dir, e->name, &path) || db_open(&db, path, DB_READ) ||
	    schema_read_head(db, &head))
		return e->begin_ns + (int64_t)s->opts.segment_ns;
	return head.begin_unix_ns + head.span_ns;
}

/* What is there, and how much of it has to go. */
struct excess {
	uint64_t bytes, space; /* beyond max_bytes; lacking for min_free_bytes */
	int64_t cutoff_ns;     /* what ended before is too old */
};

static uint64_t beyond(uint64_t have, uint64_t bound)
{
	return have > bound ? have - bound : 0;
}

/* A small file system could keep no profiles otherwise. */
static uint64_t min_free(const struct store *s, const struct dir_space *space)
{
	uint64_t most = space->total_bytes / STORE_FREE_SHARE;

	return s->opts.min_free_bytes < most ? s->opts.min_free_bytes : most;
}

static uint64_t droppable_bytes(struct store *s, const struct dir_list *l)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < l->v.len; i++)
		if (!store_is_current(s, l->v.data[i].name))
			bytes += l->v.data[i].bytes;
	return bytes;
}

/* What dropping segments is to bring: nothing, if others take so much that all of them are too few. */
static uint64_t lacking_space(struct store *s, const struct dir_list *l, uint64_t reserve)
{
	struct dir_space space;
	uint64_t lacking;

	if (!s->opts.min_free_bytes || s->space(&s->dir, &space))
		return 0;
	lacking = beyond(min_free(s, &space) + reserve, space.free_bytes);
	return lacking <= droppable_bytes(s, l) ? lacking : 0;
}

static struct excess find_excess(struct store *s, const struct dir_list *l, uint64_t reserve,
				 struct moment now)
{
	const struct store_opts *o = &s->opts;
	struct excess e = {.cutoff_ns = INT64_MIN};
	uint64_t total = reserve;

	for (size_t i = 0; i < l->v.len; i++)
		total += l->v.data[i].bytes;
	if (o->max_bytes && total > o->max_bytes)
		e.bytes = total - (o->max_bytes - o->max_bytes / SLACK);
	e.space = lacking_space(s, l, reserve);
	if (believes_clock(s, now) && o->max_age_ns && now.unix_ns > (int64_t)o->max_age_ns)
		e.cutoff_ns = now.unix_ns - (int64_t)o->max_age_ns;
	return e;
}

/* One reason is enough; each is counted for itself. */
static bool has_to_go(struct store *s, const struct dir_entry *f, struct excess *e)
{
	if (f->begin_ns < e->cutoff_ns && end_of(s, f) <= e->cutoff_ns)
		store_count(s, dropped_for_age);
	else if (e->bytes)
		store_count(s, dropped_for_size);
	else if (e->space)
		store_count(s, dropped_for_space);
	else
		return false;
	e->bytes = beyond(e->bytes, f->bytes);
	e->space = beyond(e->space, f->bytes);
	return true;
}

static void note_bytes(struct store *s, const struct dir_list *l)
{
	uint64_t others = droppable_bytes(s, l);

	pthread_mutex_lock(&s->mutex);
	s->other_bytes = others;
	pthread_mutex_unlock(&s->mutex);
}

static int drop_segments(struct store *s, struct dir_list *l, uint64_t reserve, struct moment now)
{
	struct excess e = find_excess(s, l, reserve, now);
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < l->v.len; i++) {
		struct dir_entry *f = &l->v.data[i];

		if (store_is_current(s, f->name) || !has_to_go(s, f, &e)) {
			l->v.data[kept++] = *f;
		} else {
			int failed = dir_remove(&s->dir, f->name);

			err = err ?: failed;
		}
	}
	l->v.len = kept;
	note_bytes(s, l);
	return err;
}

int retain(struct store *s, uint64_t reserve, struct moment now)
{
	struct dir_list l;
	int err = dir_list(&s->dir, &l);

	if (err)
		return err;
	pthread_mutex_lock(&s->retention.mutex);
	err = drop_segments(s, &l, reserve, now);
	pthread_mutex_unlock(&s->retention.mutex);
	dir_list_release(&l);
	return err;
}

uint64_t retain_drop_one(struct store *s)
{
	struct dir_list l;
	uint64_t dropped = 0;

	if (dir_list(&s->dir, &l))
		return 0;
	for (size_t i = 0; i < l.v.len && !dropped; i++)
		if (!store_is_current(s, l.v.data[i].name) &&
		    !dir_remove(&s->dir, l.v.data[i].name))
			dropped = l.v.data[i].bytes ?: 1;
	if (dropped)
		store_count(s, dropped_for_space);
	dir_list_release(&l);
	return dropped;
}

bool retain_is_short_of_space(struct store *s)
{
	struct dir_space space;

	return s->opts.min_free_bytes && !s->space(&s->dir, &space) &&
	       space.free_bytes < min_free(s, &space);
}

bool retain_is_due(struct store *s)
{
	uint64_t others, current = dir_bytes(&s->dir, s->current);

	pthread_mutex_lock(&s->mutex);
	others = s->other_bytes;
	pthread_mutex_unlock(&s->mutex);
	if (s->opts.max_bytes && others + current > s->opts.max_bytes)
		return true;
	return retain_is_short_of_space(s);
}

int store_look(struct store *s, struct store_state *out)
{
	struct store_state now = {0};
	struct dir_space space;
	struct dir_list l;
	int err = s->space(&s->dir, &space) ?: dir_list(&s->dir, &l);

	if (err)
		return err;
	now.old_bytes = droppable_bytes(s, &l);
	for (size_t i = 0; i < l.v.len; i++)
		now.bytes += l.v.data[i].bytes;
	if (l.v.len)
		now.oldest_unix_ns = l.v.data[0].begin_ns;
	now.free_bytes = space.free_bytes;
	now.total_bytes = space.total_bytes;
	now.min_free_bytes = min_free(s, &space);
	dir_list_release(&l);
	*out = now;
	return 0;
}
