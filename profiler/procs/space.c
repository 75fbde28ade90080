// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/procs/space.h"

const struct proc_mapping *space_live(const struct space *s, size_t *n)
{
	return mapset_get(s->set, n);
}

/* The last mapping that starts at or below va; a mapping must exist. */
static const struct proc_mapping *last_from(const struct proc_mapping *m, size_t n, uint64_t va)
{
	while (n > 1) {
		size_t half = n / 2;

		m = m[half].start <= va ? m + half : m;
		n -= half;
	}
	return m;
}

size_t space_index_of(const struct space *s, uint64_t va)
{
	size_t n;
	const struct proc_mapping *m = space_live(s, &n);

	return (size_t)(last_from(m, n, va) - m);
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool covers(const struct proc_mapping *m, uint64_t va)
{
	return va - m->start < m->len;
}

const struct proc_mapping *space_at(const struct space *s, uint64_t t_ns, uint64_t va)
{
	const struct proc_mapping *m, *best = NULL;
	size_t n, lo = 0, hi = s->past.len;

	m = space_live(s, &n);
	if (n) {
		m = last_from(m, n, va);
		if (covers(m, va) && m->since_ns <= t_ns)
			return m;
	}
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->past.data[mid].until_ns > t_ns)
			hi = mid;
		else
			lo = mid + 1;
	}
	for (; lo < s->past.len; lo++) {
		m = &s->past.data[lo].m;
		if (covers(m, va) && m->since_ns <= t_ns &&
		    (!best || m->since_ns >= best->since_ns))
			best = m;
	}
	return best;
}

static int add_past(struct space *s, const struct proc_mapping *m, uint64_t until_ns,
		    struct space_total *total)
{
	size_t old_cap = s->past.cap, at;
	int err;

	if (m->since_ns >= until_ns)
		return 0;
	if (s->past.len >= SPACE_MAX_PAST) {
		size_t drop = SPACE_MAX_PAST / 4;

		memmove(s->past.data, s->past.data + drop,
			(s->past.len - drop) * sizeof(*s->past.data));
		s->past.len -= drop;
		total->mappings -= drop;
		total->past_dropped += drop;
	}
	err = vec_reserve(&s->past, s->past.len + 1);
	if (err)
		return err;
	total->bytes += (s->past.cap - old_cap) * sizeof(*s->past.data);
	total->mappings++;
	for (at = s->past.len; at && s->past.data[at - 1].until_ns > until_ns; at--)
		s->past.data[at] = s->past.data[at - 1];
	s->past.data[at] = (struct past_mapping){*m, until_ns};
	s->past.len++;
	return 0;
}

static bool is_anon(const struct proc_mapping *m)
{
	return m->file == FILE_NONE;
}

/* True if both give the same answer for every address. */
static bool same_contents(const struct proc_mapping *a, const struct proc_mapping *b)
{
	if (a->file != b->file)
		return false;
	return is_anon(a) || a->file_off - a->start == b->file_off - b->start;
}

/* The part of m within [start, end), mapped at since_ns. */
static struct proc_mapping part_of(const struct proc_mapping *m, uint64_t start, uint64_t end,
				   uint64_t since_ns)
{
	return (struct proc_mapping){
		.start = start,
		.len = end - start,
		.file_off = m->file_off + (start - m->start),
		.file = m->file,
		.since_ns = since_ns,
	};
}

/* The mappings that will replace those that a new one touches. */
struct row {
	VEC(struct proc_mapping) v;
	/* Its last piece is where nothing was mapped before, or is anonymous memory like the new
	 * one. */
	bool ends_in_gap;
};

/*
 * Adds a piece on the right. Anonymous memory next to a former gap merges with it and gets the
 * older time: a JIT compiler's region grows page by page, and nothing else was there.
 */
static int row_add(struct row *r, const struct proc_mapping *piece, bool gap)
{
	struct proc_mapping *last = r->v.len ? &vec_last(&r->v) : NULL;
	bool joins = last && last->start + last->len == piece->start && same_contents(last, piece);

	if (joins && last->since_ns == piece->since_ns) {
		last->len += piece->len;
		r->ends_in_gap &= gap;
		return 0;
	}
	if (joins && is_anon(piece) && (gap || r->ends_in_gap)) {
		uint64_t other = gap ? last->since_ns : piece->since_ns;
		uint64_t fresh = gap ? piece->since_ns : last->since_ns;

		if (other <= fresh) {
			last->len += piece->len;
			last->since_ns = other;
			r->ends_in_gap &= gap;
			return 0;
		}
	}
	r->ends_in_gap = gap;
	return vec_push(&r->v, *piece);
}

struct change {
	struct space *s;
	struct space_total *total;
	const struct proc_mapping *m; /* the new mapping */
	uint64_t t_ns;
	struct row row;
};

/* True if anonymous memory there may count as older than it is: it hides no known file. */
static bool was_bare(const struct space *s, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < s->past.len; i++) {
		const struct proc_mapping *m = &s->past.data[i].m;

		if (m->start < end && start < m->start + m->len && !is_anon(m))
			return false;
	}
	return true;
}

static int add_part(struct change *c, const struct proc_mapping *of, uint64_t start, uint64_t end,
		    uint64_t since_ns, bool gap)
{
	struct proc_mapping part = part_of(of, start, end, since_ns);

	if (start >= end)
		return 0;
	return row_add(&c->row, &part, gap && is_anon(of) && was_bare(c->s, start, end));
}

/* Decides between `old` and the new mapping in [start, end). */
static int contest(struct change *c, const struct proc_mapping *old, uint64_t start, uint64_t end)
{
	struct proc_mapping mine = part_of(c->m, start, end, c->t_ns);
	struct proc_mapping theirs = part_of(old, start, end, old->since_ns);

	if (old->since_ns > c->t_ns)
		return add_past(c->s, &mine, old->since_ns, c->total)
			       ?: row_add(&c->row, &theirs, false);
	if (same_contents(old, c->m))
		return row_add(&c->row, &theirs, false);
	return add_past(c->s, &theirs, c->t_ns, c->total) ?: row_add(&c->row, &mine, false);
}

/* Builds the row for the old mappings [from, to), which touch the new one. */
static int build_row(struct change *c, const struct proc_mapping *from,
		     const struct proc_mapping *to)
{
	uint64_t end = c->m->start + c->m->len, at = c->m->start;
	int err = 0;

	for (const struct proc_mapping *old = from; old < to && !err; old++) {
		uint64_t old_end = old->start + old->len;
		uint64_t lo = old->start > at ? old->start : at;
		uint64_t hi = old_end < end ? old_end : end;

		if (old_end <= c->m->start || old->start >= end) { /* only adjacent */
			if (old->start >= end)
				err = add_part(c, c->m, at, end, c->t_ns, true);
			at = old->start >= end ? end : at;
			err = err ?: add_part(c, old, old->start, old_end, old->since_ns, false);
			continue;
		}
		err = add_part(c, old, old->start, c->m->start, old->since_ns, false)
			      ?: add_part(c, c->m, at, lo, c->t_ns, true)
			      ?: contest(c, old, lo, hi)
			      ?: add_part(c, old, end, old_end, old->since_ns, false);
		at = hi;
	}
	return err ?: add_part(c, c->m, at, end, c->t_ns, true);
}

static int map_over(struct space *s, uint64_t t_ns, const struct proc_mapping *m, size_t from,
		    size_t to, struct space_total *total)
{
	struct change c = {.s = s, .total = total, .m = m, .t_ns = t_ns};
	size_t n;
	const struct proc_mapping *live = space_live(s, &n);
	int err = build_row(&c, live + from, live + to);

	if (!err)
		err = mapset_splice(&s->set, from, to - from, c.row.v.data, c.row.v.len, total);
	vec_release(&c.row.v);
	return err;
}

int space_map(struct space *s, uint64_t t_ns, const struct proc_mapping *m,
	      struct space_total *total)
{
	struct proc_mapping fresh = *m;
	uint64_t end = m->start + m->len;
	const struct proc_mapping *live;
	size_t n, from = 0, to;

	if (!m->len || end < m->start)
		return 0;
	live = space_live(s, &n);
	if (n) {
		const struct proc_mapping *at = last_from(live, n, m->start);

		if (covers(at, m->start) && covers(at, end - 1) && same_contents(at, m) &&
		    at->since_ns <= t_ns)
			return 0;
		from = (size_t)(at - live);
		/* Goes to the first one that reaches m or is adjacent to it. */
		if (live[from].start <= m->start && live[from].start + live[from].len < m->start)
			from++;
		else if (from && live[from].start == m->start &&
			 live[from - 1].start + live[from - 1].len == m->start)
			from--;
	}
	for (to = from; to < n && live[to].start <= end; to++)
		;
	if (n + s->past.len >= SPACE_MAX_MAPPINGS)
		return -ENOSPC;
	fresh.since_ns = t_ns;
	if (from == to)
		return mapset_splice(&s->set, from, 0, &fresh, 1, total);
	return map_over(s, t_ns, &fresh, from, to, total);
}

bool space_has(const struct space *s, const struct proc_mapping *m)
{
	size_t n;
	const struct proc_mapping *live = space_live(s, &n), *piece;
	uint64_t at = m->start, end = m->start + m->len;

	piece = n ? last_from(live, n, at) : NULL;
	while (at < end && piece && piece < live + n && covers(piece, at) &&
	       same_contents(piece, m)) {
		at = piece->start + piece->len;
		piece++;
	}
	return at >= end;
}

bool space_is(const struct space *s, const struct proc_mapping *m, size_t n)
{
	size_t n_live, i = 0, k = 0;
	const struct proc_mapping *live = space_live(s, &n_live);
	uint64_t at = 0;

	while (i < n && k < n_live) {
		uint64_t end = m[i].start + m[i].len, live_end = live[k].start + live[k].len;

		if (later_of(m[i].start, at) != later_of(live[k].start, at) ||
		    !same_contents(&m[i], &live[k]))
			return false;
		at = end < live_end ? end : live_end;
		i += at == end;
		k += at == live_end;
	}
	return i == n && k == n_live;
}

/* --- all that is mapped, seen at once --------------------------------------------------------- */

struct snapshot_diff {
	struct space_snapshot *snap;
	struct change c;
	const struct proc_mapping *old, *old_end;
	uint64_t at; /* everything below is decided */
};

/* When an old mapping that the snapshot lacks ended, and its successor began. */
static uint64_t end_of(const struct snapshot_diff *d, const struct proc_mapping *old)
{
	return old->since_ns < d->snap->since_ns ? d->snap->since_ns : d->snap->late_ns;
}

static int end_old(struct snapshot_diff *d, uint64_t start, uint64_t end)
{
	struct proc_mapping gone = part_of(d->old, start, end, d->old->since_ns);

	return add_past(d->c.s, &gone, end_of(d, d->old), d->c.total);
}

/* Moves on to va. Old mappings that end before are done. */
static void advance(struct snapshot_diff *d, uint64_t va)
{
	d->at = va;
	while (d->old < d->old_end && d->old->start + d->old->len <= va)
		d->old++;
}

/* Ends what is before va, where the snapshot has nothing. */
static int end_before(struct snapshot_diff *d, uint64_t va)
{
	int err = 0;

	while (!err && d->at < va && d->old < d->old_end && d->old->start < va) {
		uint64_t end = d->old->start + d->old->len;

		end = end < va ? end : va;
		err = end_old(d, later_of(d->old->start, d->at), end);
		advance(d, end);
	}
	d->at = later_of(d->at, va);
	return err;
}

static int add_seen(struct snapshot_diff *d, const struct proc_mapping *m, uint64_t end,
		    uint64_t since_ns, bool gap)
{
	size_t n = d->c.row.v.len + (size_t)(d->old_end - d->old) + d->c.s->past.len;

	if (d->snap->no_room || n >= SPACE_MAX_MAPPINGS) {
		d->snap->refused++;
		return 0;
	}
	return add_part(&d->c, m, d->at, end, since_ns, gap);
}

/* Decides the range of m, after everything before it. */
static int diff_one(struct snapshot_diff *d, const struct proc_mapping *m)
{
	uint64_t end = m->start + m->len;
	int err = end_before(d, m->start);

	while (!err && d->at < end) {
		const struct proc_mapping *old = d->old;
		uint64_t to = end;

		if (old == d->old_end || old->start >= end) {
			err = add_seen(d, m, to, d->snap->since_ns, true);
		} else if (old->start > d->at) {
			to = old->start;
			err = add_seen(d, m, to, d->snap->since_ns, true);
		} else {
			to = old->start + old->len < end ? old->start + old->len : end;
			if (same_contents(old, m))
				err = add_part(&d->c, old, d->at, to, old->since_ns, false);
			else
				err = end_old(d, d->at, to)
					      ?: add_seen(d, m, to, end_of(d, old), false);
		}
		advance(d, to);
	}
	return err;
}

/* For a space without changes after the snapshot. */
static int apply_diff(struct space *s, struct space_snapshot *snap, struct space_total *total)
{
	size_t n;
	const struct proc_mapping *live = space_live(s, &n);
	struct snapshot_diff d = {
		.snap = snap,
		.c = {.s = s, .total = total},
		.old = live,
		.old_end = n ? live + n : live,
	};
	int err = 0;

	for (size_t i = 0; i < snap->n && !err; i++)
		err = diff_one(&d, &snap->m[i]);
	err = err ?: end_before(&d, UINT64_MAX);
	if (!err)
		err = mapset_splice(&s->set, 0, n, d.c.row.v.data, d.c.row.v.len, total);
	vec_release(&d.c.row.v);
	return err;
}

/* A mapping that began or ended at a time. */
struct turn {
	uint64_t t_ns;
	bool ends;
	struct proc_mapping m;
};

struct turns {
	VEC(struct turn) v;
};

static int turn_cmp(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	return y->ends - x->ends; /* at equal times an end comes first */
}

static bool has_changed_since(const struct space *s, uint64_t t_ns)
{
	size_t n;
	const struct proc_mapping *live = space_live(s, &n);

	if (s->past.len && vec_last(&s->past).until_ns > t_ns)
		return true;
	for (size_t i = 0; i < n; i++)
		if (live[i].since_ns > t_ns)
			return true;
	return false;
}

/* Undoes all changes after a time, including replaced mappings that existed then. `out` gets the
 * changes to redo, in the order of time. */
static int take_back(struct space *s, uint64_t t_ns, struct turns *out, struct space_total *total)
{
	size_t n;
	const struct proc_mapping *live = space_live(s, &n);
	struct row kept = {0};
	int err = vec_reserve(&out->v, n + 2 * s->past.len) ?: vec_reserve(&kept.v, n);

	for (size_t i = 0; i < n && !err; i++) {
		if (live[i].since_ns > t_ns)
			out->v.data[out->v.len++] = (struct turn){live[i].since_ns, false, live[i]};
		else
			kept.v.data[kept.v.len++] = live[i];
	}
	if (!err && kept.v.len < n)
		err = mapset_splice(&s->set, 0, n, kept.v.data, kept.v.len, total);
	while (!err && s->past.len && vec_last(&s->past).until_ns > t_ns) {
		struct past_mapping p = s->past.data[--s->past.len];

		total->mappings--;
		out->v.data[out->v.len++] = (struct turn){p.m.since_ns, false, p.m};
		out->v.data[out->v.len++] = (struct turn){p.until_ns, true, p.m};
	}
	if (!err && out->v.len)
		qsort(out->v.data, out->v.len, sizeof(*out->v.data), turn_cmp);
	vec_release(&kept.v);
	return err;
}

static int unmap(struct space *s, uint64_t t_ns, uint64_t start, uint64_t end,
		 struct space_total *total)
{
	const struct proc_mapping *live;
	size_t n, at;
	int err = 0;

	live = space_live(s, &n);
	if (!n)
		return 0;
	at = (size_t)(last_from(live, n, start) - live);
	while (!err && at < n && live[at].start < end) {
		struct proc_mapping old = live[at], gone, left[2];
		uint64_t old_end = old.start + old.len;
		size_t n_left = 0;

		if (old_end <= start) {
			at++;
			continue;
		}
		gone = part_of(&old, later_of(old.start, start), old_end < end ? old_end : end,
			       old.since_ns);
		if (old.start < start)
			left[n_left++] = part_of(&old, old.start, start, old.since_ns);
		if (old_end > end)
			left[n_left++] = part_of(&old, end, old_end, old.since_ns);
		err = add_past(s, &gone, t_ns, total)
			      ?: mapset_splice(&s->set, at, 1, left, n_left, total);
		at += n_left;
		live = space_live(s, &n);
	}
	return err;
}

static int do_again(struct space *s, const struct turn *t, struct space_total *total)
{
	int err;

	if (t->ends)
		return unmap(s, t->t_ns, t->m.start, t->m.start + t->m.len, total);
	err = space_map(s, t->t_ns, &t->m, total);
	return err == -ENOSPC ? 0 : err;
}

int space_apply_snapshot(struct space *s, struct space_snapshot *snap, struct space_total *total)
{
	struct turns turns = {0};
	size_t i = 0;
	int err;

	if (!has_changed_since(s, snap->seen_ns))
		return space_is(s, snap->m, snap->n) ? 0 : apply_diff(s, snap, total) ?: 1;
	err = take_back(s, snap->seen_ns, &turns, total);
	for (; !err && i < turns.v.len && turns.v.data[i].t_ns <= snap->seen_ns; i++)
		err = do_again(s, &turns.v.data[i], total);
	err = err ?: apply_diff(s, snap, total);
	for (; !err && i < turns.v.len; i++)
		err = do_again(s, &turns.v.data[i], total);
	vec_release(&turns.v);
	return err ?: 1;
}

void space_fork(struct space *child, struct space *parent)
{
	assert(!child->set && !child->past.len);
	child->set = mapset_ref(parent->set);
}

int space_drop_since(struct space *s, uint64_t since_ns, struct space_total *total)
{
	size_t n;
	int err = 0;

	space_live(s, &n);
	for (size_t i = n; i-- > 0 && !err;)
		if (space_live(s, &n)[i].since_ns == since_ns)
			err = mapset_splice(&s->set, i, 1, NULL, 0, total);
	return err;
}

void space_forget(struct space *s, uint64_t before_ns, struct space_total *total)
{
	size_t drop = 0;

	while (drop < s->past.len && s->past.data[drop].until_ns < before_ns)
		drop++;
	total->mappings -= drop;
	s->past.len -= drop;
	if (!s->past.len) {
		total->bytes -= s->past.cap * sizeof(*s->past.data);
		vec_release(&s->past);
	} else if (drop) {
		memmove(s->past.data, s->past.data + drop, s->past.len * sizeof(*s->past.data));
	}
}

void space_release(struct space *s, struct space_total *total)
{
	mapset_unref(s->set, total);
	total->mappings -= s->past.len;
	total->bytes -= s->past.cap * sizeof(*s->past.data);
	vec_release(&s->past);
	s->set = NULL;
}
