// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/visit.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/store/snapshot.h"

/* How often segments may vanish meanwhile before it gives up: each time a compaction has ended. */
#define MAX_TRIES 8

struct visit {
	const struct dir *dir;
	int64_t since_ns, until_ns;
	const struct visitor *v;
	void *ctx;
	struct visited *out;
	int err; /* why the first segment that could not be opened was not */
};

static bool is_too_late(const struct visit *c)
{
	return c->dir->read_until_ns && monotonic_ns() >= c->dir->read_until_ns;
}

static int visit_windows(const struct visit *c, struct reader *r)
{
	struct window_row w;
	int err = c->v->segment(c->ctx, r), got;

	while (!err && (got = reader_next(r, &w))) {
		if (got < 0)
			return got;
		if (is_too_late(c))
			return -ETIME;
		if (w.begin_unix_ns < c->since_ns || w.begin_unix_ns >= c->until_ns)
			continue;
		err = c->v->window(c->ctx, &w);
		c->out->windows++;
	}
	return err;
}

/* What is wrong with this process rather than with the segment; or it is gone, or will be there soon. */
static bool is_passing(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE || err == -ENOENT ||
	       err == -EBUSY || err == -ENODATA || err == -ENOTSUP;
}

/* A segment that nobody can read is counted; the rest is what there is. */
static int open_or_count(struct visit *c, const struct snapshot_segment *s, struct reader **out)
{
	_cleanup_free_ char *path = NULL;
	int err = s->err ?: dir_path(c->dir, s->file.name, &path) ?: reader_open(out, path);

	if (!err || is_passing(err))
		return err;
	c->err = c->err ?: err;
	return -EBADMSG;
}

static int visit_segment(struct visit *c, const struct snapshot_segment *s)
{
	_cleanup_(reader_freep) struct reader *r = NULL;
	const struct reader_damage *damage;
	int err = open_or_count(c, s, &r);

	if (err)
		return err;
	err = visit_windows(c, r);
	damage = reader_damage(r);
	c->out->damage.rows += damage->rows;
	c->out->damage.windows += damage->windows;
	c->out->damage.chunks += damage->chunks;
	c->out->segments++;
	return err;
}

static int visit_or_count(struct visit *c, const struct snapshot_segment *s)
{
	int err = s->is_replaced || s->file.is_empty ? 0 : visit_segment(c, s);

	if (err == -EBADMSG || err == -EIO || err == -EROFS)
		c->out->segments_damaged++;
	else if (err == -ENOTSUP)
		c->out->segments_newer++;
	else if (err != -ENODATA)
		return err;
	return 0;
}

/* Whoever may read none of them is told why. */
static int judge(const struct visit *c)
{
	return c->out->segments || (c->err != -EACCES && c->err != -EPERM) ? 0 : c->err;
}

static int visit_once(struct visit *c)
{
	struct snapshot s;
	int err;

	c->err = 0;
	*c->out = (struct visited){0};
	err = c->v->restart(c->ctx) ?: snapshot_take(&s, c->dir, c->since_ns, c->until_ns);
	if (err)
		return err;
	for (size_t i = 0; i < s.v.len && !err; i++)
		err = is_too_late(c) ? -ETIME : visit_or_count(c, &s.v.data[i]);
	snapshot_release(&s);
	return err ?: judge(c);
}

int visit(const struct dir *d, int64_t since_ns, int64_t until_ns, const struct visitor *v,
	  void *ctx, struct visited *out)
{
	struct visit c = {d, since_ns, until_ns, v, ctx, out, 0};
	int err = -ENOENT;

	for (int i = 0; i < MAX_TRIES && err == -ENOENT; i++)
		err = visit_once(&c);
	return err;
}

const char *visit_error(int err)
{
	return err == -ETIME ? "reading took too long: a shorter range takes less" : strerror(-err);
}
