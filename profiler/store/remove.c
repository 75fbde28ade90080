// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/remove.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/compact.h"
#include "profiler/store/db.h"
#include "profiler/store/edit.h"
#include "profiler/store/snapshot.h"
#include "profiler/store/store_internal.h"
#include "profiler/store/where.h"

#define LOCK_TRIES    100
#define LOCK_PAUSE_NS 100000000l

struct removal {
	struct store *s;
	int64_t since_ns, until_ns;
	struct where *where;
	bool is_live; /* another process appends */
	struct store_removal *out;
};

/* A compaction takes a second or so. */
static int lock_maintenance(const struct dir *d, pid_t *pid)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int fd = -EBUSY;

	for (int i = 0; i < LOCK_TRIES && fd == -EBUSY; i++) {
		if (i)
			nanosleep(&pause, NULL);
		fd = dir_lock(d, DIR_MAINTENANCE_LOCK, pid);
	}
	return fd;
}

static bool is_whole(const struct removal *r, int64_t begin_ns, int64_t span_ns)
{
	return !r->where && begin_ns >= r->since_ns && r->until_ns - begin_ns >= span_ns;
}

static uint64_t samples_of(const struct dir *d, const char *name)
{
	_cleanup_(db_closep) sqlite3 *db = NULL;
	_cleanup_free_ char *path = NULL;
	int64_t n = 0;

	if (!dir_path(d, name, &path) && !db_open(&db, path, DB_READ))
		db_get_i64(db, "SELECT sum(samples) FROM windows", &n);
	return (uint64_t)n;
}

static int remove_file(struct removal *r, const char *name)
{
	uint64_t samples = samples_of(&r->s->dir, name);
	int err = dir_remove(&r->s->dir, name);

	if (!err)
		r->out->samples += samples;
	return err;
}

static int rewrite(struct removal *r, const struct snapshot_segment *s)
{
	struct compact_opts opts = {
		.window_ns = s->head.window_ns,
		.max_bytes = SIZE_MAX,
		.remove_since_ns = r->since_ns,
		.remove_until_ns = r->until_ns,
		.remove_where = r->where,
	};
	struct compact_result result;
	int err = compact(&r->s->dir, s, 1, &opts, &result);

	r->out->samples += result.removed;
	return err;
}

static int edit(struct removal *r, const struct snapshot_segment *s)
{
	_cleanup_free_ char *path = NULL;
	int err = dir_path(&r->s->dir, s->file.name, &path);

	return err ?: edit_remove(path, r->since_ns, r->until_ns, r->where, &r->out->samples);
}

static int remove_from(struct removal *r, const struct snapshot_segment *s)
{
	int err;

	if (s->err == -ENODATA)
		return 0;
	if (s->is_replaced)
		return dir_remove(&r->s->dir, s->file.name);
	if (s->err && is_whole(r, s->file.begin_ns, (int64_t)r->s->opts.segment_ns) &&
	    s->err != -ENOTSUP)
		return dir_remove(&r->s->dir, s->file.name);
	if (s->err) {
		r->out->segments_left++;
		return 0;
	}
	r->out->segments++;
	if (r->is_live && s->head.state == SEGMENT_OPEN)
		err = edit(r, s);
	else if (is_whole(r, s->head.begin_unix_ns, s->head.span_ns))
		err = remove_file(r, s->file.name);
	else
		err = rewrite(r, s);
	return err == -ENOENT ? 0 : err; /* retention was faster */
}

static int remove_all(struct removal *r)
{
	struct snapshot all;
	int err = snapshot_take(&all, &r->s->dir, r->since_ns, r->until_ns);

	if (err)
		return err;
	for (size_t i = 0; i < all.v.len && !err; i++)
		if (all.v.data[i].file.begin_ns < r->until_ns)
			err = remove_from(r, &all.v.data[i]);
	snapshot_release(&all);
	return err;
}

/* Nobody may begin to append while segments that were left open are rewritten. */
static int remove_beside(struct removal *r)
{
	_cleanup_close_ int append = -1;
	pid_t pid;

	if (r->s->opts.access == STORE_WRITE) {
		store_end_segment(r->s);
	} else {
		append = dir_lock(&r->s->dir, DIR_APPEND_LOCK, &pid);
		if (append < 0 && append != -EBUSY)
			return append;
		r->is_live = append < 0;
	}
	return remove_all(r);
}

int store_remove(struct store *s, int64_t since_ns, int64_t until_ns, const char *where,
		 struct store_removal *out, struct why *why)
{
	struct removal r = {.s = s, .since_ns = since_ns, .until_ns = until_ns, .out = out};
	_cleanup_close_ int lock = -1;
	pid_t pid = 0;
	int err;

	*out = (struct store_removal){0};
	if (s->opts.access == STORE_READ)
		return why_say(why, -EINVAL, "the store was opened for reading");
	err = where_parse_any(&r.where, where, why);
	if (err)
		return err;
	lock = lock_maintenance(&s->dir, &pid);
	err = lock < 0 ? lock : remove_beside(&r);
	where_free(r.where);
	if (lock == -EBUSY)
		return why_say(why, lock, "%s is being compacted by process %d: try again",
			       s->dir.path, pid);
	return err ? why_say(why, err, "%s: %s", s->dir.path, strerror(-err)) : 0;
}
