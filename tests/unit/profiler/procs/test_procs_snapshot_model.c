// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots against a naive model: all that was ever told is kept, and played from the start. */
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "tests/lib/proc_table.h"

#define N_TGIDS 3
#define PAGES	24
#define PAGE	0x1000ull
#define NOTHING (UINT32_MAX - 7)

/* What is at a page. For files `bias` is where the file would begin. */
struct cell {
	uint32_t file;
	uint64_t bias;
};

struct row {
	struct cell at[PAGES];
};

struct reported {
	uint64_t t;
	bool all; /* a snapshot: pages it does not have are empty */
	struct row row;
};

struct life {
	pid_t tgid;
	uint64_t begin, end;
	struct row inherited, first;	/* first: what the first snapshot told */
	uint64_t first_seen, last_seen; /* by snapshots; 0: none */
	uint32_t version;
	VEC(struct reported) told; /* by time */
};

struct model {
	VEC(struct life) lives;
};

static struct row empty_row(void)
{
	struct row r;

	for (int i = 0; i < PAGES; i++)
		r.at[i] = (struct cell){NOTHING, 0};
	return r;
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
	return a->file == b->file &&
	       (a->file == NOTHING || a->file == FILE_NONE || a->bias == b->bias);
}

static bool same_row(const struct row *a, const struct row *b)
{
	for (int i = 0; i < PAGES; i++)
		if (!same_cell(&a->at[i], &b->at[i]))
			return false;
	return true;
}

/* What was mapped at a time. */
static struct row row_at(const struct life *l, uint64_t t)
{
	struct row r = l->inherited;

	for (size_t i = 0; i < l->told.len && l->told.data[i].t <= t; i++)
		for (int k = 0; k < PAGES; k++)
			if (l->told.data[i].all || l->told.data[i].row.at[k].file != NOTHING)
				r.at[k] = l->told.data[i].row.at[k];
	return r;
}

static void tell_life(struct life *l, struct reported told)
{
	size_t i = l->told.len;

	assert_int_equal(vec_push(&l->told, told), 0);
	for (; i && l->told.data[i - 1].t > told.t; i--)
		l->told.data[i] = l->told.data[i - 1];
	l->told.data[i] = told;
}

static struct life *life_at(struct model *m, pid_t tgid, uint64_t t)
{
	for (size_t i = m->lives.len; i-- > 0;) {
		struct life *l = &m->lives.data[i];

		if (l->tgid == tgid && l->begin <= t && t < l->end)
			return l;
	}
	return NULL;
}

/* A parent that has just ended counts: do_exit() has to finish. */
static struct life *parent_at(struct model *m, pid_t tgid, uint64_t t)
{
	for (size_t i = m->lives.len; i-- > 0;) {
		struct life *l = &m->lives.data[i];

		if (l->tgid == tgid && l->begin <= t && l->begin < l->end)
			return l;
	}
	return NULL;
}

static void begin_life(struct model *m, pid_t tgid, uint64_t t, const struct life *parent)
{
	struct life l = {.tgid = tgid, .begin = t, .end = NEVER, .inherited = empty_row()};
	struct life *old = life_at(m, tgid, t);

	if (parent)
		l.inherited = row_at(parent, t);
	if (old)
		old->end = t;
	assert_int_equal(vec_push(&m->lives, l), 0);
}

/* --- chance ----------------------------------------------------------------------------------- */

struct chance {
	uint64_t seed;
	bool delays; /* snapshots come after events of later times */
	uint32_t next_file;
	uint32_t next_version;
};

static uint64_t any(struct chance *c, uint64_t below)
{
	c->seed = hash_u64(c->seed + 0x9e3779b97f4a7c15ull);
	return c->seed % below;
}

/*
 * Events of later times that tell what is known already, or let anonymous memory grow, leave no trace
 * that a snapshot from before them could be put behind: with delays, events are of files of their own.
 */
static struct cell any_cell(struct chance *c, bool event)
{
	uint64_t kind = any(c, 8);

	if (event && c->delays)
		return (struct cell){c->next_file++, any(c, 4) * PAGE};
	if (kind < 2)
		return (struct cell){FILE_NONE, 0};
	return (struct cell){kind == 2 ? FILE_VDSO : (uint32_t)any(c, 3), any(c, 2) * PAGE};
}

static void put_run(struct chance *c, struct row *r, struct cell cell)
{
	uint64_t from = any(c, PAGES), n = 1 + any(c, 6);

	for (uint64_t i = from; i < from + n && i < PAGES; i++)
		r->at[i] = cell;
}

/* Mostly what was known, with some changes. */
static struct row any_set(struct chance *c, const struct row *known)
{
	struct row r = any(c, 6) ? *known : empty_row();
	uint64_t changes = any(c, 5);

	for (uint64_t i = 0; i < changes; i++)
		put_run(c, &r, any(c, 3) ? any_cell(c, false) : (struct cell){NOTHING, 0});
	return r;
}

static size_t mappings_of(struct chance *c, const struct row *r, struct proc_mapping *out)
{
	size_t n = 0;

	for (uint64_t i = 0; i < PAGES; i++) {
		const struct cell *cell = &r->at[i];
		uint64_t start = (i + 1) * PAGE, off = cell->bias + start;

		if (cell->file == NOTHING)
			continue;
		/* as one with the page before it, or on its own */
		if (i && any(c, 4) && same_cell(cell, cell - 1))
			out[n - 1].len += PAGE;
		else
			out[n++] = (struct proc_mapping){start, PAGE, off, cell->file, any(c, 99)};
	}
	return n;
}

/* --- the same to both ------------------------------------------------------------------------- */

static void do_map(struct chance *c, struct model *m, struct procs *p, pid_t tgid, uint64_t t)
{
	struct row r = empty_row();
	struct life *l = life_at(m, tgid, t);
	struct proc_mapping maps[PAGES];
	struct row before, after;
	size_t n;

	if (!l) {
		begin_life(m, tgid, t, NULL);
		l = life_at(m, tgid, t);
	}
	put_run(c, &r, any_cell(c, true));
	before = row_at(l, t);
	tell_life(l, (struct reported){.t = t, .row = r});
	after = row_at(l, t);
	if (!same_row(&before, &after))
		l->version = 0;
	n = mappings_of(c, &r, maps);
	for (size_t i = 0; i < n; i++)
		procs_mmap(p, t, tgid, &maps[i]);
}

static void do_snapshot(struct chance *c, struct model *m, struct procs *p, pid_t tgid, uint64_t t)
{
	struct life *l = life_at(m, tgid, t);
	struct proc_mapping maps[PAGES];
	struct proc_snapshot s = {
		.tgid = tgid,
		.t_ns = t,
		.version = c->next_version++,
		.mappings = maps,
		.exe = FILE_NONE,
		.jitdump = FILE_NONE,
	};
	struct row known, r, now;

	if (!l)
		return;
	known = row_at(l, t);
	r = any_set(c, &known);
	s.n = mappings_of(c, &r, maps);
	procs_snapshot(p, &s);
	if (t < l->last_seen)
		return;
	l->last_seen = t;
	if (!l->first_seen) {
		l->first_seen = t;
		l->first = r;
	}
	tell_life(l, (struct reported){.t = t, .all = true, .row = r});
	now = row_at(l, NEVER);
	l->version = same_row(&now, &r) ? s.version : 0;
}

static void any_event(struct chance *c, struct model *m, struct procs *p, uint64_t t)
{
	pid_t tgid = (pid_t)(1 + any(c, N_TGIDS)), parent = (pid_t)(1 + any(c, N_TGIDS));
	uint64_t kind = any(c, 12);

	if (kind == 0 && parent != tgid) {
		procs_fork(p, t, tgid, tgid, parent);
		begin_life(m, tgid, t, parent_at(m, parent, t));
	} else if (kind == 1) {
		procs_comm(p, t, tgid, tgid, "x", true);
		begin_life(m, tgid, t, NULL);
	} else if (kind == 2 && life_at(m, tgid, t)) {
		procs_exit(p, t, tgid, tgid);
		life_at(m, tgid, t)->end = t;
	} else if (kind < 8) {
		do_map(c, m, p, tgid, t);
	} else if (!c->delays) {
		do_snapshot(c, m, p, tgid, t);
	}
}

/* --- comparison ------------------------------------------------------------------------------- */

static bool is_place(const struct cell *want, uint64_t va, const struct place *got)
{
	switch (got->kind) {
	case PLACE_FILE:
		return want->file == got->file && got->file_off == want->bias + va;
	case PLACE_VDSO:
		return want->file == FILE_VDSO && got->file_off == want->bias + va;
	case PLACE_ANON:
		return want->file == FILE_NONE;
	default:
		return want->file == NOTHING;
	}
}

/* Anonymous memory counts as older than it is where nothing else is known to have been. */
static bool becomes_anon(const struct life *l, uint64_t page)
{
	bool anon = false;

	for (size_t i = 0; i < l->told.len; i++)
		anon |= l->told.data[i].row.at[page].file == FILE_NONE;
	return anon;
}

static void compare_page(struct model *m, struct procs *p, pid_t tgid, uint64_t t, uint64_t page)
{
	const struct life *l = life_at(m, tgid, t);
	uint64_t va = (page + 1) * PAGE + 0x123;
	struct place got = at(p, tgid, t, va);
	struct row want;

	if (!l)
		return; /* test_procs_model has that */
	want = row_at(l, t);
	if (is_place(&want.at[page], va, &got))
		return;
	/* Before its first snapshot nobody asks; what that tells is as good. */
	if (t < l->first_seen && is_place(&l->first.at[page], va, &got))
		return;
	if (t >= l->first_seen)
		assert_int_equal(want.at[page].file, NOTHING);
	assert_int_equal(got.kind, PLACE_ANON);
	assert_true(becomes_anon(l, page));
}

static void compare_live(struct model *m, struct procs *p, pid_t tgid, uint64_t t)
{
	const struct life *l = life_at(m, tgid, t);
	struct row got = empty_row(), want;
	uint32_t version;
	size_t n;
	const struct proc_mapping *live = procs_live(p, tgid, &n, &version);
	uint64_t at = 0;

	assert_int_equal(version, l ? l->version : 0);
	if (!l) {
		assert_null(live);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		assert_true(live[i].start >= at && live[i].len);
		at = live[i].start + live[i].len;
		for (uint64_t va = live[i].start; va < at; va += PAGE)
			got.at[va / PAGE - 1] =
				(struct cell){live[i].file, live[i].file_off - live[i].start};
	}
	want = row_at(l, NEVER);
	assert_true(same_row(&got, &want));
}

static void compare(struct chance *c, struct model *m, struct procs *p, uint64_t t_end)
{
	for (pid_t tgid = 1; tgid <= N_TGIDS; tgid++)
		compare_live(m, p, tgid, t_end);
	for (int i = 0; i < 2000; i++)
		compare_page(m, p, (pid_t)(1 + any(c, N_TGIDS)), 100 + any(c, t_end - 100),
			     any(c, PAGES));
}

static void run(struct chance *c)
{
	struct procs *p = new_table(NULL);
	struct model m = {0};
	uint64_t t = 100;

	for (int turn = 0; turn < 60; turn++) {
		uint64_t from = t;

		for (uint64_t n = 1 + any(c, 4); n; n--) {
			t += any(c, 3);
			any_event(c, &m, p, t);
			compare_live(&m, p, (pid_t)(1 + any(c, N_TGIDS)), t);
		}
		/* samples of meanwhile, nearly in order; some too late */
		for (uint64_t n = c->delays ? any(c, 4) : 0; n; n--)
			do_snapshot(c, &m, p, (pid_t)(1 + any(c, N_TGIDS)),
				    from + any(c, t - from + 1));
	}
	compare(c, &m, p, t);
	procs_expire(p, NEVER);
	for (pid_t tgid = 1; tgid <= N_TGIDS; tgid++)
		procs_fork(p, t + SEC, tgid, tgid, 99);
	procs_expire(p, NEVER);
	assert_int_equal(stats_of(p).mappings, 0);
	procs_free(p);
	for (size_t i = 0; i < m.lives.len; i++)
		vec_release(&m.lives.data[i].told);
	vec_release(&m.lives);
}

static void test_in_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++)
		run(&(struct chance){.seed = seed, .next_version = 1});
}

static void test_after_later_events(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++)
		run(&(struct chance){
			.seed = seed, .delays = true, .next_file = 10, .next_version = 1});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_after_later_events),
	};

	return cmocka_run_group_tests_name("procs_snapshot_model", tests, NULL, NULL);
}
