// SPDX-License-Identifier: GPL-2.0-or-later
/* The process table against a naive model, over random events. */
#include <stdio.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "tests/lib/proc_table.h"

#define N_TGIDS 6
#define PAGES	40
#define PAGE	0x1000ull
#define STEP	(SEC / 5) /* so that the grace after an exit matters */

struct model_map {
	uint64_t since;
	struct proc_mapping m;
};

struct model_image {
	pid_t tgid, parent;
	uint64_t begin, end;
	bool gone; /* lived no time */
	bool anon;
	uint32_t exe;
	char comm[16];
	VEC(struct model_map) maps; /* in the order they were made */
};

/* Everything that ever was, in the order of its beginning; nothing is ever removed. */
struct model {
	VEC(struct model_image) images;
	bool leader_gone[N_TGIDS + 1];
	VEC(pid_t) threads[N_TGIDS + 1];
};

static struct model_image *m_newest(struct model *m, pid_t tgid)
{
	for (size_t i = m->images.len; i-- > 0;)
		if (m->images.data[i].tgid == tgid && !m->images.data[i].gone)
			return &m->images.data[i];
	return NULL;
}

static struct model_image *m_at(struct model *m, pid_t tgid, uint64_t t)
{
	for (size_t i = m->images.len; i-- > 0;) {
		struct model_image *im = &m->images.data[i];

		if (im->tgid != tgid || im->gone || im->begin > t)
			continue;
		return im->end == NEVER || t < im->end || t - im->end < SEC ? im : NULL;
	}
	return NULL;
}

static void m_end(struct model *m, pid_t tgid, uint64_t t)
{
	struct model_image *im = m_newest(m, tgid);

	if (im && im->end == NEVER) {
		im->end = t;
		im->gone = im->begin == t;
	} else if (im && im->begin == t) {
		im->gone = true;
	}
}

static struct model_image *m_begin(struct model *m, pid_t tgid, uint64_t t)
{
	struct model_image im = {.tgid = tgid, .begin = t, .end = NEVER, .exe = FILE_NONE};

	m_end(m, tgid, t);
	m->leader_gone[tgid] = false;
	m->threads[tgid].len = 0;
	assert_int_equal(vec_push(&m->images, im), 0);
	return &vec_last(&m->images);
}

static struct model_image *m_known(struct model *m, pid_t tgid, uint64_t t)
{
	struct model_image *im = m_newest(m, tgid);

	return im && im->end == NEVER ? im : m_begin(m, tgid, t);
}

static void m_fork(struct model *m, uint64_t t, pid_t tgid, pid_t parent)
{
	struct model_image *im = m_begin(m, tgid, t), *from = m_at(m, parent, t);

	im->parent = parent;
	if (!from || parent == tgid)
		return;
	im->anon = from->anon;
	im->exe = from->exe;
	memcpy(im->comm, from->comm, sizeof(im->comm));
	for (size_t i = 0; i < from->maps.len; i++)
		assert_int_equal(vec_push(&im->maps, from->maps.data[i]), 0);
}

static void m_exec(struct model *m, uint64_t t, pid_t tgid, const char *comm)
{
	struct model_image *old = m_at(m, tgid, t), *im;
	pid_t parent = old ? old->parent : 0;

	im = m_begin(m, tgid, t);
	im->parent = parent;
	snprintf(im->comm, sizeof(im->comm), "%s", comm);
}

static void m_map(struct model *m, uint64_t t, pid_t tgid, const struct proc_mapping *map)
{
	struct model_image *im = m_known(m, tgid, t);

	assert_int_equal(vec_push(&im->maps, (struct model_map){t, *map}), 0);
	if (map->file == FILE_NONE)
		im->anon = true;
	else if (im->exe == FILE_NONE && map->file != FILE_VDSO)
		im->exe = map->file;
}

static void m_thread(struct model *m, uint64_t t, pid_t tgid, pid_t tid)
{
	m_known(m, tgid, t);
	for (size_t i = 0; i < m->threads[tgid].len; i++)
		if (m->threads[tgid].data[i] == tid)
			return;
	assert_int_equal(vec_push(&m->threads[tgid], tid), 0);
}

static void m_exit(struct model *m, uint64_t t, pid_t tgid, pid_t tid)
{
	struct model_image *im = m_newest(m, tgid);

	if (!im || im->end != NEVER)
		return;
	m->leader_gone[tgid] |= tid == tgid;
	for (size_t i = 0; i < m->threads[tgid].len; i++)
		if (m->threads[tgid].data[i] == tid)
			m->threads[tgid].data[i--] = m->threads[tgid].data[--m->threads[tgid].len];
	if (m->leader_gone[tgid] && !m->threads[tgid].len)
		m_end(m, tgid, t);
}

static const struct model_map *m_lookup(const struct model_image *im, uint64_t t, uint64_t va)
{
	const struct model_map *best = NULL;

	for (size_t i = 0; i < im->maps.len; i++) {
		const struct model_map *mm = &im->maps.data[i];

		if (va - mm->m.start < mm->m.len && mm->since <= t &&
		    (!best || mm->since >= best->since))
			best = mm;
	}
	return best;
}

/* Anonymous memory grows backwards in time where nothing else ever was. */
static bool m_becomes_anon(const struct model_image *im, uint64_t va)
{
	const struct model_map *first = NULL;

	for (size_t i = 0; i < im->maps.len; i++) {
		const struct model_map *mm = &im->maps.data[i];

		if (va - mm->m.start < mm->m.len && (!first || mm->since < first->since))
			first = mm;
	}
	return first && first->m.file == FILE_NONE;
}

static void compare_place(struct model *m, struct procs *p, pid_t tgid, uint64_t t, uint64_t va)
{
	const struct model_image *im = m_at(m, tgid, t);
	const struct model_map *mm = im ? m_lookup(im, t, va) : NULL;
	struct place got = at(p, tgid, t, va);

	if (!im) {
		assert_int_equal(got.kind, PLACE_NO_PROCESS);
	} else if (!mm) {
		if (got.kind != PLACE_ANON || !m_becomes_anon(im, va))
			assert_int_equal(got.kind, PLACE_UNMAPPED);
	} else if (mm->m.file == FILE_NONE) {
		assert_int_equal(got.kind, PLACE_ANON);
	} else {
		assert_int_equal(got.kind, mm->m.file == FILE_VDSO ? PLACE_VDSO : PLACE_FILE);
		if (got.kind == PLACE_FILE)
			assert_int_equal(got.file, mm->m.file);
		assert_int_equal(got.file_off, mm->m.file_off + (va - mm->m.start));
	}
}

static void compare_image(struct model *m, struct procs *p, pid_t tgid, uint64_t t)
{
	const struct model_image *want = m_at(m, tgid, t);
	const struct proc_image *got = procs_image(p, tgid, t);

	assert_int_equal(!got, !want);
	if (!want)
		return;
	assert_int_equal(got->begin_ns, want->begin);
	assert_true(got->end_ns == want->end);
	assert_int_equal(got->parent_tgid, want->parent);
	assert_int_equal(got->exe, want->exe);
	assert_int_equal(got->has_anon_exec, want->anon);
	assert_string_equal(got->comm, want->comm);
}

struct chance {
	uint64_t seed;
};

static uint64_t any(struct chance *c, uint64_t below)
{
	c->seed = hash_u64(c->seed + 0x9e3779b97f4a7c15ull);
	return c->seed % below;
}

static struct proc_mapping any_mapping(struct chance *c)
{
	struct proc_mapping m = {
		.start = (1 + any(c, PAGES - 2)) * PAGE,
		.len = (1 + any(c, any(c, 5) ? 6 : PAGES)) * PAGE,
	};
	uint64_t kind = any(c, 10);

	m.file = kind < 4 ? FILE_NONE : kind == 4 ? FILE_VDSO : (uint32_t)any(c, 4);
	/* half of the time such that mapping it again says the same */
	m.file_off = any(c, 2) ? m.start : any(c, 8) * PAGE;
	return m;
}

static void any_event(struct chance *c, struct model *m, struct procs *p, uint64_t t)
{
	static const char *const comms[] = {"sh", "cc1", "as", "java"};
	pid_t tgid = (pid_t)(1 + any(c, N_TGIDS)), other = (pid_t)(1 + any(c, N_TGIDS));
	pid_t tid = (pid_t)(100 + any(c, 3));
	const char *comm = comms[any(c, 4)];
	struct proc_mapping map;
	struct model_image *im;

	switch (any(c, 16)) {
	case 0:
	case 1:
		if (other == tgid)
			break;
		m_fork(m, t, tgid, other);
		procs_fork(p, t, tgid, tgid, other);
		break;
	case 2:
		m_exec(m, t, tgid, comm);
		procs_comm(p, t, tgid, tgid, comm, true);
		break;
	case 3:
		im = m_known(m, tgid, t);
		snprintf(im->comm, sizeof(im->comm), "%s", comm);
		procs_comm(p, t, tgid, tgid, comm, false);
		break;
	case 4:
		m_known(m, tgid, t);
		procs_comm(p, t, tgid, tid, comm, false);
		break;
	case 5:
		m_thread(m, t, tgid, tid);
		procs_fork(p, t, tgid, tid, tgid);
		break;
	case 6:
		m_exit(m, t, tgid, tid);
		procs_exit(p, t, tgid, tid);
		break;
	case 7:
		m_exit(m, t, tgid, tgid);
		procs_exit(p, t, tgid, tgid);
		break;
	default:
		map = any_mapping(c);
		m_map(m, t, tgid, &map);
		procs_mmap(p, t, tgid, &map);
	}
}

static void compare_counts(const struct model *m, struct procs *p)
{
	uint64_t images = 0, alive = 0;

	for (size_t i = 0; i < m->images.len; i++) {
		images += !m->images.data[i].gone;
		alive += !m->images.data[i].gone && m->images.data[i].end == NEVER;
	}
	assert_int_equal(stats_of(p).images, images);
	assert_int_equal(stats_of(p).images_alive, alive);
}

static void model_release(struct model *m)
{
	for (size_t i = 0; i < m->images.len; i++)
		vec_release(&m->images.data[i].maps);
	vec_release(&m->images);
	for (int i = 0; i <= N_TGIDS; i++)
		vec_release(&m->threads[i]);
}

static void test_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct chance c = {seed};
		struct procs *p = new_table(NULL);
		struct model m = {0};
		uint64_t t = 100 * SEC, step = any(&c, 2) ? STEP : 1;

		for (int i = 0; i < 300; i++) {
			t += any(&c, 3) * step;
			any_event(&c, &m, p, t);
		}
		for (int i = 0; i < 4000; i++) {
			pid_t tgid = (pid_t)(1 + any(&c, N_TGIDS));
			uint64_t when = 100 * SEC + any(&c, t - 100 * SEC + 3 * step);

			compare_place(&m, p, tgid, when, any(&c, (PAGES + 8) * PAGE));
			compare_image(&m, p, tgid, when);
		}
		compare_counts(&m, p);
		procs_expire(p, NEVER);
		assert_int_equal(stats_of(p).images, stats_of(p).images_alive);
		for (pid_t tgid = 1; tgid <= N_TGIDS; tgid++)
			procs_fork(p, t + SEC, tgid, tgid, 99);
		procs_expire(p, NEVER);
		assert_int_equal(stats_of(p).mappings, 0);
		procs_free(p);
		model_release(&m);
	}
}

/*
 * Mappings of one process in any order: the newest at a time wins, however late it came. All differ
 * and have times of their own: mapping the same again leaves no trace for a latecomer to lose to.
 */
static void test_any_order_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct chance c = {seed};
		struct procs *p = new_table(NULL);
		struct model m = {0};

		m_fork(&m, 1, 1, 2);
		procs_fork(p, 1, 1, 1, 2);
		for (uint32_t i = 0; i < 60; i++) {
			struct proc_mapping map = any_mapping(&c);
			uint64_t t = 2 + i * 37 % 60; /* 37 and 60 have no common factor */

			map.file = i;
			m_map(&m, t, 1, &map);
			procs_mmap(p, t, 1, &map);
		}
		for (int i = 0; i < 5000; i++)
			compare_place(&m, p, 1, 1 + any(&c, 70), any(&c, (PAGES + 8) * PAGE));
		procs_free(p);
		model_release(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_any_order_against_model),
	};

	return cmocka_run_group_tests_name("procs_model", tests, NULL, NULL);
}
