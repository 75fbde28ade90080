// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <string.h>

#include "profiler/procs/space.h"

struct mapset {
	uint32_t refs;
	/* The mappings are m[first .. first + len): room at both ends, because mmap(2) hands out
	 * descending addresses and /proc/PID/maps ascending ones. */
	uint32_t first, len, cap;
	struct proc_mapping m[];
};

static size_t mapset_bytes(const struct mapset *set)
{
	return sizeof(*set) + set->cap * sizeof(set->m[0]);
}

static struct mapset *mapset_new(size_t len, struct space_total *total)
{
	/* A dynamically linked program has about six executable mappings. */
	size_t cap = len < 4 ? 6 : len + len / 2;
	struct mapset *set = malloc(sizeof(*set) + cap * sizeof(set->m[0]));

	if (!set)
		return NULL;
	*set = (struct mapset){
		.refs = 1,
		.first = (uint32_t)((cap - len) / 2),
		.len = (uint32_t)len,
		.cap = (uint32_t)cap,
	};
	total->bytes += mapset_bytes(set);
	total->mappings += len;
	return set;
}

static void mapset_unref(struct mapset *set, struct space_total *total)
{
	if (!set || --set->refs)
		return;
	total->bytes -= mapset_bytes(set);
	total->mappings -= set->len;
	free(set);
}

const struct proc_mapping *space_live(const struct space *s, size_t *n)
{
	*n = s->set ? s->set->len : 0;
	return s->set ? s->set->m + s->set->first : NULL;
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

/* Copies the set with `n` mappings put in the place of `remove` at index `at`. */
static int rebuild(struct space *s, size_t at, size_t remove, const struct proc_mapping *with,
		   size_t n, struct space_total *total)
{
	size_t len;
	const struct proc_mapping *old = space_live(s, &len);
	struct mapset *set = mapset_new(len - remove + n, total);
	struct proc_mapping *m;

	if (!set)
		return -ENOMEM;
	m = set->m + set->first;
	if (at)
		memcpy(m, old, at * sizeof(*m));
	if (n)
		memcpy(m + at, with, n * sizeof(*m));
	if (len - at - remove)
		memcpy(m + at + n, old + at + remove, (len - at - remove) * sizeof(*m));
	mapset_unref(s->set, total);
	s->set = set;
	return 0;
}

/* Moves the shorter side to make or close a gap. False if that side has no room left. */
static bool shift(struct mapset *set, size_t at, size_t remove, size_t n)
{
	struct proc_mapping *m = set->m + set->first;
	size_t tail = set->len - at - remove;

	if (at < tail) {
		if (set->first + remove < n)
			return false;
		memmove(m + remove - n, m, at * sizeof(*m));
		set->first = (uint32_t)(set->first + remove - n);
	} else {
		if (set->first + set->len - remove + n > set->cap)
			return false;
		memmove(m + at + n, m + at + remove, tail * sizeof(*m));
	}
	set->len = (uint32_t)(set->len - remove + n);
	return true;
}

static int splice(struct space *s, size_t at, size_t remove, const struct proc_mapping *with,
		  size_t n, struct space_total *total)
{
	struct mapset *set = s->set;

	if (!set || set->refs > 1 || !shift(set, at, remove, n))
		return rebuild(s, at, remove, with, n, total);
	total->mappings = total->mappings - remove + n;
	if (n)
		memcpy(set->m + set->first + at, with, n * sizeof(*with));
	return 0;
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

/* Both say the same about any address. */
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

/* The row of mappings that will take the place of those a new one touches. */
struct row {
	VEC(struct proc_mapping) v;
	bool ends_in_gap; /* its last piece is where nothing was mapped before */
};

/*
 * Adds a piece on the right of the row. Anonymous memory next to what lay bare before merges with
 * it and takes the older time: a JIT's region grows page by page, and nothing else was there.
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
	const struct proc_mapping *m; /* the new one */
	uint64_t t_ns;
	struct row row;
};

static int add_part(struct change *c, const struct proc_mapping *of, uint64_t start, uint64_t end,
		    uint64_t since_ns, bool gap)
{
	struct proc_mapping part = part_of(of, start, end, since_ns);

	return start < end ? row_add(&c->row, &part, gap) : 0;
}

/* Decides who has [start, end), where `old` and the new mapping meet. */
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

		if (old_end <= c->m->start || old->start >= end) { /* a neighbour only */
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
		err = splice(s, from, to - from, c.row.v.data, c.row.v.len, total);
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
		/* Step to the first one that reaches m, be it as a neighbour. */
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
		return splice(s, from, 0, &fresh, 1, total);
	return map_over(s, t_ns, &fresh, from, to, total);
}

int space_unmap(struct space *s, uint64_t t_ns, uint64_t now_ns, uint64_t start, uint64_t end,
		struct space_total *total)
{
	const struct proc_mapping *live;
	size_t n, at;
	int err = 0;

	live = space_live(s, &n);
	if (!n || start >= end)
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
		gone = part_of(&old, old.start > start ? old.start : start,
			       old_end < end ? old_end : end, old.since_ns);
		if (old.start < start)
			left[n_left++] = part_of(&old, old.start, start, old.since_ns);
		if (old_end > end)
			left[n_left++] = part_of(&old, end, old_end, old.since_ns);
		err = add_past(s, &gone, old.since_ns < t_ns ? t_ns : now_ns, total)
			      ?: splice(s, at, 1, left, n_left, total);
		at += n_left;
		live = space_live(s, &n);
	}
	return err;
}

void space_fork(struct space *child, struct space *parent)
{
	assert(!child->set && !child->past.len);
	child->set = parent->set;
	if (child->set)
		child->set->refs++;
}

int space_drop_since(struct space *s, uint64_t since_ns, struct space_total *total)
{
	for (size_t i = s->set ? s->set->len : 0; i-- > 0;) {
		int err = 0;

		if (s->set->m[s->set->first + i].since_ns == since_ns)
			err = splice(s, i, 1, NULL, 0, total);
		if (err)
			return err;
	}
	return 0;
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
