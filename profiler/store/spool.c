// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/profile/profile.h"
#include "profiler/store/one_window.h"
#include "profiler/store/reader.h"
#include "profiler/store/snapshot.h"
#include "profiler/store/store_internal.h"
#include "profiler/store/tails.h"

/* How often segments may go meanwhile: each time a compaction has ended. */
#define MAX_TRIES 8
/* A directory may change again within the grain of its time. */
#define GRAIN_NS ((int64_t)NS_PER_S)

struct spool {
	struct store *store;
	struct snapshot all; /* in the order of writing, without those that others replace */
	bool is_known;	     /* all there is, while the directory's time is this */
	struct timespec dir_time;
	struct tails tails;
};

/* Where in `all` to go on: behind a row, with windows that began later. */
struct position {
	size_t i;
	int64_t row, after_ns; /* INT64_MIN: all */
	bool is_lost;	       /* the place's segment is gone, and nothing says where it went */
	bool is_by_time;       /* after_ns is of all segments, not of the first alone */
};

void spool_window_release(struct spool_window *w)
{
	profile_free(w->profile);
	quality_release(&w->quality);
	*w = (struct spool_window){0};
}

int spool_open(struct spool **out, struct store *s)
{
	struct spool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->store = s;
	*out = p;
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	tails_release(&s->tails);
	snapshot_release(&s->all);
	free(s);
}

/* --- which segments there are ---------------------------------------------------------------------- */

/* Segments without a sequence are older than all that have one. Of those that began in the same second, the
 * shorter name is the older one: T.kiln, T-2.kiln, T-10.kiln. */
static int compare_segments(const void *va, const void *vb)
{
	const struct snapshot_segment *a = va, *b = vb;
	size_t a_len = strlen(a->file.name), b_len = strlen(b->file.name);

	if (a->head.sequence != b->head.sequence)
		return a->head.sequence < b->head.sequence ? -1 : 1;
	if (a->file.begin_ns != b->file.begin_ns)
		return a->file.begin_ns < b->file.begin_ns ? -1 : 1;
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return strcmp(a->file.name, b->file.name);
}

static bool is_for_later(int err)
{
	return err == -ENODATA || err == -EBUSY || err == -EROFS || err == -EACCES;
}

/* In the order of writing. What cannot be read counts as written with what is before it in time. */
static void put_in_order(struct spool *s)
{
	size_t n = 0;

	s->is_known = true;
	for (size_t i = 0; i < s->all.v.len; i++) {
		struct snapshot_segment g = s->all.v.data[i];

		if (is_for_later(g.err) || g.file.is_empty)
			s->is_known = false;
		if (g.err)
			g.head.sequence = n ? s->all.v.data[n - 1].head.sequence : 0;
		if (!g.is_replaced && !g.file.is_empty && g.err != -ENODATA)
			s->all.v.data[n++] = g;
	}
	s->all.v.len = n;
	if (n)
		qsort(s->all.v.data, n, sizeof(*s->all.v.data), compare_segments);
}

static bool is_there(void *ctx, const char *name)
{
	const struct spool *s = ctx;

	for (size_t i = 0; i < s->all.v.len; i++)
		if (!strcmp(name, s->all.v.data[i].file.name))
			return true;
	return false;
}

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * (int64_t)NS_PER_S + t->tv_nsec;
}

/* A segment that comes or goes changes the directory. */
static int look(struct spool *s)
{
	struct snapshot all;
	struct stat st;
	int64_t age_ns;
	int err;

	if (fstat(s->store->dir.fd, &st))
		return -errno;
	if (s->is_known && ns_of(&st.st_mtim) == ns_of(&s->dir_time))
		return 0;
	err = snapshot_take(&all, &s->store->dir, 0, INT64_MAX);
	if (err)
		return err;
	snapshot_release(&s->all);
	s->all = all;
	s->dir_time = st.st_mtim;
	put_in_order(s);
	tails_forget(&s->tails, is_there, s);
	age_ns = unix_ns() - ns_of(&st.st_mtim);
	if (age_ns > -GRAIN_NS && age_ns < GRAIN_NS)
		s->is_known = false;
	return 0;
}

/* Of a segment that gets no more windows nothing is kept once all of it is read. */
static void close_tail(struct spool *s, struct tail *t, bool is_done)
{
	tails_close(&s->tails, t, !is_done || !strcmp(t->name, vec_last(&s->all.v).file.name));
}

static int open_tail(struct spool *s, const struct snapshot_segment *g, struct tail **out)
{
	return tails_open(&s->tails, &s->store->dir, g, out);
}

void spool_hold(struct spool *s)
{
	tails_hold(&s->tails);
}

void spool_rest(struct spool *s)
{
	tails_rest(&s->tails);
}

static struct spool_place place_of(const struct snapshot_segment *g, const struct window_row *w)
{
	return (struct spool_place){g->head.id, g->head.sequence, w->id, w->begin_unix_ns};
}

/* --- where a place is now -------------------------------------------------------------------------- */

struct wanted {
	int64_t id;
	bool found;
};

static int is_wanted(void *ctx, int64_t id)
{
	struct wanted *w = ctx;

	w->found |= id == w->id;
	return 0;
}

/* Whether a segment replaces another one: 1, 0 or -errno. */
static int replaces(struct spool *s, const struct snapshot_segment *g, int64_t id)
{
	struct wanted w = {.id = id};
	struct tail *t;
	int err;

	if (g->err || g->head.state != SEGMENT_COMPACTED)
		return 0;
	err = open_tail(s, g, &t);
	if (err)
		return err == -EBADMSG || err == -EIO ? 0 : err;
	err = reader_replaced(t->reader, is_wanted, &w);
	close_tail(s, t, !w.found);
	return w.found ? 1 : err == -EBADMSG || err == -EIO ? 0 : err;
}

/* The row of the place's window in a segment that it has moved to; where it is not, what began later is behind
 * it. 1: found; 0; or -errno. */
static int find_row(struct spool *s, const struct spool_place *at, struct position *out)
{
	const struct snapshot_segment *g = &s->all.v.data[out->i];
	struct window_row w;
	struct tail *t;
	int got = open_tail(s, g, &t);

	if (got)
		return got;
	while ((got = reader_next(t->reader, &w)) > 0)
		if (w.begin_unix_ns == at->window_ns)
			break;
	close_tail(s, t, false);
	if (got > 0)
		out->row = w.id;
	else
		out->after_ns = at->window_ns;
	return got;
}

static bool covers(const struct segment_head *h, int64_t ns)
{
	return ns >= h->begin_unix_ns && ns - h->begin_unix_ns < h->span_ns;
}

/* What was written later has a higher sequence. What has none, or a lower one, is behind the place, unless the
 * store is another one than it was: then the time decides. */
static int locate_lost(struct spool *s, const struct spool_place *at, struct position *out)
{
	size_t i = 0, n = s->all.v.len;
	int got;

	while (i < n && (s->all.v.data[i].err || s->all.v.data[i].head.sequence < at->sequence))
		i++;
	*out = (struct position){.i = i, .after_ns = INT64_MIN, .is_lost = true};
	if (i == n) {
		*out = (struct position){
			.after_ns = at->window_ns, .is_lost = true, .is_by_time = true};
		return 0;
	}
	if (!covers(&s->all.v.data[i].head, at->window_ns))
		return 0;
	got = find_row(s, at, out);
	out->is_lost = got != 1;
	return got < 0 ? got : 0;
}

static int locate(struct spool *s, const struct spool_place *at, struct position *out)
{
	*out = (struct position){.after_ns = INT64_MIN};
	if (!at->segment)
		return 0;
	for (size_t i = 0; i < s->all.v.len; i++) {
		const struct snapshot_segment *g = &s->all.v.data[i];

		if (!g->err && g->head.id == at->segment) {
			*out = (struct position){.i = i, .row = at->row, .after_ns = INT64_MIN};
			return 0;
		}
	}
	for (size_t i = 0; i < s->all.v.len; i++) {
		int got = replaces(s, &s->all.v.data[i], at->segment);

		if (got < 0)
			return got;
		out->i = i;
		if (got)
			return find_row(s, at, out) < 0 ? -EAGAIN : 0;
	}
	return locate_lost(s, at, out);
}

static void to_next_segment(struct position *p)
{
	p->i++;
	p->row = 0;
	if (!p->is_by_time)
		p->after_ns = INT64_MIN;
}

/* --- windows --------------------------------------------------------------------------------------- */

/* Their share of the segment's file. */
static uint64_t bytes_of(const struct spool *s, const struct snapshot_segment *g, int64_t windows,
			 int64_t of)
{
	uint64_t bytes = dir_bytes(&s->store->dir, g->file.name);

	return of > 0 && windows > 0 ? (uint64_t)((double)bytes * (double)windows / (double)of) : 0;
}

static int give(const struct spool *s, struct tail *from, const struct snapshot_segment *g,
		const struct window_row *w, struct spool_window *out)
{
	int64_t last = 0;
	int err = from->windows ? 0 : one_window_new(&from->windows, from->reader);

	err = err ?: one_window_get(from->windows, w, &out->profile, &out->quality);
	err = err ?: reader_last(from->reader, &last);
	if (!err) {
		out->begin_ns = w->begin_unix_ns;
		out->duration_ns = (uint64_t)w->duration_ns;
		out->id[0] = (uint64_t)g->head.id;
		out->id[1] = (uint64_t)w->id;
		out->bytes = bytes_of(s, g, 1, last);
		out->is_last = w->id == last && g == &vec_last(&s->all.v);
	}
	return !err ? 1 : err == -ENOMEM ? err : -EBADMSG;
}

struct walk {
	struct spool *spool;
	int64_t since_ns;
	struct spool_window *out;
	uint64_t too_old;
};

/* Coarser ones are not given: they count as gone. */
static int next_row(struct walk *c, const struct snapshot_segment *g, struct tail *t,
		    const struct position *p)
{
	struct window_row w;
	int got = reader_seek(t->reader, p->row + 1);

	while (!got && (got = reader_next(t->reader, &w)) > 0) {
		got = 0;
		if (w.begin_unix_ns <= p->after_ns)
			continue;
		c->out->behind = place_of(g, &w);
		if (w.begin_unix_ns < c->since_ns)
			c->too_old++;
		else if (g->head.window_ns)
			c->out->gone++;
		else
			return give(c->spool, t, g, &w, c->out);
	}
	return got;
}

/* 1, 0: no more in this one; or -errno. */
static int next_in(struct walk *c, const struct snapshot_segment *g, const struct position *p)
{
	struct tail *t;
	uint64_t damage;
	int got = open_tail(c->spool, g, &t);

	if (got == -EBADMSG || got == -EIO) {
		c->out->gone++;
		return 0;
	}
	if (got)
		return is_for_later(got) ? -EAGAIN : got;
	damage = reader_damage(t->reader)->rows;
	got = next_row(c, g, t, p);
	c->out->gone += reader_damage(t->reader)->rows - damage;
	close_tail(c->spool, t, !got);
	return got;
}

static int walk(struct walk *c, struct position p)
{
	const struct snapshot *all = &c->spool->all;
	int got = 0;

	for (; p.i < all->v.len && !got; to_next_segment(&p)) {
		const struct snapshot_segment *g = &all->v.data[p.i];

		if (is_for_later(g->err))
			return -EAGAIN;
		if (g->err)
			c->out->gone++;
		else
			got = next_in(c, g, &p);
	}
	return got;
}

static bool same_place(const struct spool_place *a, const struct spool_place *b)
{
	return a->segment == b->segment && a->row == b->row;
}

static int next_once(struct spool *s, const struct spool_place *at, struct walk *c)
{
	struct position p;
	int err, got;

	spool_window_release(c->out);
	c->too_old = 0;
	c->out->behind = *at;
	err = look(s) ?: locate(s, at, &p);
	if (err)
		return err;
	c->out->gone = p.is_lost;
	got = walk(c, p);
	/* It is counted when something behind it is given. */
	if (!got && same_place(&c->out->behind, at))
		c->out->gone = 0;
	return got;
}

int spool_next(struct spool *s, const struct spool_place *at, int64_t since_ns,
	       struct spool_window *out, uint64_t *too_old)
{
	struct walk c = {.spool = s, .since_ns = since_ns, .out = out};
	int got = -ENOENT;

	*out = (struct spool_window){0};
	for (int i = 0; i < MAX_TRIES && got == -ENOENT; i++) {
		got = next_once(s, at, &c);
		if (got == -ENOENT)
			s->is_known = false;
	}
	*too_old = c.too_old;
	return got == -ENOENT ? -EAGAIN : got;
}

/* --- how many -------------------------------------------------------------------------------------- */

struct count {
	uint64_t windows, bytes;
	int64_t oldest_ns;
};

/* Rows are numbered without gaps. */
static int count_in(struct spool *s, const struct snapshot_segment *g, const struct position *p,
		    struct count *c)
{
	struct window_row w = {0};
	int64_t last, n;
	struct tail *t;
	int got = open_tail(s, g, &t);

	if (got)
		return got == -ENOENT ? got : 0;
	got = reader_last(t->reader, &last) ?: reader_seek(t->reader, p->row + 1);
	while (!got && (got = reader_next(t->reader, &w)) > 0 && w.begin_unix_ns <= p->after_ns)
		got = 0;
	n = got > 0 ? last - w.id + 1 : 0;
	close_tail(s, t, false);
	if (got <= 0)
		return got;
	c->windows += (uint64_t)n;
	c->bytes += bytes_of(s, g, n, last);
	c->oldest_ns = c->oldest_ns ?: w.begin_unix_ns;
	return 0;
}

static int count_once(struct spool *s, const struct spool_place *at, struct count *c)
{
	struct position p;
	int err = look(s) ?: locate(s, at, &p);

	*c = (struct count){0};
	for (; !err && p.i < s->all.v.len; to_next_segment(&p)) {
		const struct snapshot_segment *g = &s->all.v.data[p.i];

		if (!g->err && !g->head.window_ns)
			err = count_in(s, g, &p, c);
	}
	return err;
}

int spool_waiting(struct spool *s, const struct spool_place *at, uint64_t *windows, uint64_t *bytes,
		  int64_t *oldest_ns)
{
	struct count c = {0};
	int err = -ENOENT;

	for (int i = 0; i < MAX_TRIES && err == -ENOENT; i++) {
		err = count_once(s, at, &c);
		if (err == -ENOENT)
			s->is_known = false;
	}
	if (err)
		return err;
	*windows = c.windows;
	*bytes = c.bytes;
	*oldest_ns = c.oldest_ns;
	return 0;
}

/* --- the end --------------------------------------------------------------------------------------- */

static int last_of(struct spool *s, const struct snapshot_segment *g, struct spool_place *out)
{
	struct window_row w = {0};
	int64_t last = 0;
	struct tail *t;
	int got = open_tail(s, g, &t);

	if (got)
		return got;
	got = reader_last(t->reader, &last);
	if (!got && last)
		got = reader_seek(t->reader, last) ?: reader_next(t->reader, &w);
	close_tail(s, t, false);
	if (got >= 0)
		*out = place_of(g, &w);
	return got < 0 ? got : 0;
}

static int end_once(struct spool *s, struct spool_place *out)
{
	int err = look(s);

	*out = (struct spool_place){0};
	for (size_t i = s->all.v.len; !err && i > 0; i--)
		if (!s->all.v.data[i - 1].err)
			return last_of(s, &s->all.v.data[i - 1], out);
	return err;
}

int spool_end(struct spool *s, struct spool_place *out)
{
	int err = -ENOENT;

	for (int i = 0; i < MAX_TRIES && err == -ENOENT; i++) {
		err = end_once(s, out);
		if (err == -ENOENT)
			s->is_known = false;
	}
	return err;
}
