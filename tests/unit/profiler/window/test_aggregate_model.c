// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random windows against a model that knows no tables: every row becomes a line of text by a look at a
 * short list of what was mapped when, and equal lines add up. With little memory, what is there is
 * right, and what is not there is counted.
 */
#include "tests/lib/proc_table.h"

#include <stdio.h>

#include "profiler/procs/ksyms.h"
#include "tests/lib/aggregates.h"
#include "tests/lib/profiles.h"
#include "tests/lib/windows.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define WINDOWS 12
#define ROWS	60

/* --- what was mapped ---------------------------------------------------------------------------- */

static const struct known {
	pid_t tgid;
	uint64_t from_ns, to_ns; /* of the program, which has mapped it all the time */
	uint64_t start, len, off;
	uint32_t file;
} known[] = {
	{10, 1 * SEC, 50 * SEC, 0x1000, 0x100, 0x40, 1},
	{10, 1 * SEC, 50 * SEC, 0x1100, 0x100, 0x900, 2},
	{10, 50 * SEC, NEVER, 0x1000, 0x200, 0, 3},
	{11, 1 * SEC, NEVER, 0x1000, 0x80, 0, 1},
	{11, 1 * SEC, NEVER, 0x1100, 0x100, 0, FILE_NONE},
	{12, 1 * SEC, NEVER, 0x1080, 0x40, 0, FILE_VDSO},
	{12, 1 * SEC, NEVER, 0x1180, 0x80, 0x80, 2},
};
#define N_KNOWN (sizeof(known) / sizeof(*known))

static struct ksyms *ksyms; /* knows nothing */

static struct procs *known_table(void)
{
	struct procs *p = new_table(NULL);

	for (size_t i = 0; i < N_KNOWN; i++) {
		const struct known *k = &known[i];

		if (i && k[-1].tgid == k->tgid && k[-1].to_ns == k->from_ns)
			procs_comm(p, k->from_ns, k->tgid, k->tgid, "next", true);
		map(p, k->from_ns, k->tgid, k->start, k->len, k->off, k->file);
	}
	return p;
}

/* NULL: not mapped. *any: something is known of the process then. */
static const struct known *find_known(pid_t tgid, uint64_t t_ns, uint64_t va, bool *any)
{
	const struct known *found = NULL;

	*any = false;
	for (size_t i = 0; i < N_KNOWN; i++) {
		const struct known *k = &known[i];

		if (k->tgid != tgid || t_ns < k->from_ns || t_ns >= k->to_ns)
			continue;
		*any = true;
		if (va >= k->start && va < k->start + k->len)
			found = k;
	}
	return found;
}

/* --- the model ---------------------------------------------------------------------------------- */

/* The frame as text. False: it is no code, in a process that is known. */
static bool model_frame(char *out, size_t size, const struct window_row *row, uint64_t va)
{
	bool any;
	const struct known *k = find_known((pid_t)row->key.tgid, row->value.first_ns, va, &any);

	if (k && k->file == FILE_NONE)
		snprintf(out, size, "anon(%u):%" PRIx64, row->key.tgid, va);
	else if (k && k->file == FILE_VDSO)
		snprintf(out, size, "vdso:%" PRIx64, k->off + va - k->start);
	else if (k)
		snprintf(out, size, "file%u:%" PRIx64, k->file, k->off + va - k->start);
	else
		snprintf(out, size, "%s:%" PRIx64, any ? "unmapped" : "unknown", va);
	return k || !any;
}

static void model_user(struct buf *b, const struct window *w, const struct window_row *row,
		       const char *between)
{
	const uint64_t *ip = NULL;
	const struct window_stack *s = window_stack(w, KILN_SIDE_USER, row->key.user_stack, &ip);
	enum unwind_end end = s ? s->end : UNWIND_ON;
	bool cut = s && end == UNWIND_ON && s->len == KILN_MAX_FRAMES;
	char frame[64];

	if (row->key.user_stack == KILN_STACK_NONE)
		return;
	if (s && !row->key.in_user &&
	    ((s->len == 1 && end == UNWIND_END_BAD_READ) || (!s->len && end == UNWIND_END_ROOT)))
		return;
	if (!s || !s->len) {
		buf_printf(b, "%s[missed user]", between);
		return;
	}
	for (uint32_t i = 0; i < s->len; i++) {
		bool code = model_frame(frame, sizeof(frame), row, i ? ip[i] - 1 : ip[i]);

		if (i && !code) {
			if (end != UNWIND_ON && end != UNWIND_END_UPROBE &&
			    end != UNWIND_END_COMPAT)
				end = UNWIND_END_NO_MAPPING;
			cut = true;
			break;
		}
		if (i && i == s->gap)
			buf_str(b, ";[cut]");
		buf_printf(b, "%s%s", i ? ";" : between, frame);
	}
	if (cut)
		buf_str(b, ";[cut]");
	if (end != UNWIND_ON)
		buf_printf(b, " ends=%s", unwind_end_key(end));
}

/* What a program runs is the first file that it maps. */
static uint32_t model_exe(pid_t tgid, uint64_t t_ns)
{
	for (size_t i = 0; i < N_KNOWN; i++) {
		const struct known *k = &known[i];

		if (k->tgid == tgid && t_ns >= k->from_ns && t_ns < k->to_ns &&
		    k->file != FILE_VDSO)
			return k->file;
	}
	return FILE_NONE;
}

static char *model_line(const struct window *w, const struct window_row *row)
{
	const uint64_t *ip = NULL;
	const struct window_stack *s =
		window_stack(w, KILN_SIDE_KERNEL, row->key.kernel_stack, &ip);
	struct buf b = {0};
	size_t head;

	buf_printf(&b, "%u/%u %.16s %llu ", row->key.tgid, row->key.tid, row->key.comm,
		   row->key.cgroup_id);
	buf_printf(&b, "exe%d ", (int)model_exe((pid_t)row->key.tgid, row->value.first_ns));
	head = b.len;
	for (uint32_t i = 0; s && i < s->len; i++)
		buf_printf(&b, "%skernel:%" PRIx64, i ? ";" : "", ip[i] - (i ? 1 : 0));
	if (!(s && s->len) && row->key.kernel_stack != KILN_STACK_NONE)
		buf_str(&b, "[missed kernel]");
	model_user(&b, w, row, b.len > head ? "|" : "");
	if (b.len == head)
		buf_str(&b, row->key.in_user ? "[user]" : "[kernel]");
	return buf_take(&b);
}

struct counted {
	char *line;
	uint64_t count;
};
struct model {
	VEC(struct counted) v;
	uint64_t total;
};

static uint64_t *model_count(struct model *m, const char *line)
{
	for (size_t i = 0; i < m->v.len; i++)
		if (!strcmp(m->v.data[i].line, line))
			return &m->v.data[i].count;
	return NULL;
}

static void model_window(struct model *m, const struct window *w)
{
	for (size_t i = 0; i < w->rows.len; i++) {
		char *line = model_line(w, &w->rows.data[i]);
		uint64_t *count = model_count(m, line), n = w->rows.data[i].value.count;

		m->total += n;
		if (count) {
			*count += n;
			free(line);
		} else {
			MUST(vec_push(&m->v, (struct counted){line, n}));
		}
	}
}

static char *print_model(const struct model *m)
{
	char **lines = calloc(m->v.len + 1, sizeof(*lines));

	for (size_t i = 0; i < m->v.len; i++)
		if (asprintf(&lines[i], "%s = %" PRIu64, m->v.data[i].line, m->v.data[i].count) < 0)
			abort();
	return sorted_lines(lines, m->v.len);
}

static void model_release(struct model *m)
{
	for (size_t i = 0; i < m->v.len; i++)
		free(m->v.data[i].line);
	vec_release(&m->v);
}

/* --- random windows ----------------------------------------------------------------------------- */

/* Mostly where something is mapped, and often at its edges. */
static uint64_t random_va(uint64_t *r)
{
	const struct known *k = &known[rnd_below(r, N_KNOWN)];

	switch (rnd_below(r, 8)) {
	case 0:
		return rnd_below(r, 0x2000);
	case 1:
		return k->start;
	case 2:
		return k->start + k->len;
	case 3:
		return k->start + k->len - 1;
	default:
		return k->start + rnd_below(r, (uint32_t)k->len);
	}
}

static void random_stack(struct window *w, uint64_t *r)
{
	enum kiln_stack_side side = rnd_below(r, 3) ? KILN_SIDE_USER : KILN_SIDE_KERNEL;
	uint32_t n = rnd_below(r, 5), gap = 0;
	uint64_t frames[KILN_MAX_FRAMES];

	if (!rnd_below(r, 20))
		n = KILN_MAX_FRAMES - rnd_below(r, 2);
	if (n && !rnd_below(r, 4))
		gap = rnd_below(r, n);
	for (uint32_t i = 0; i < n; i++)
		frames[i] = side == KILN_SIDE_USER ? random_va(r) : 0xffff0000 + rnd_below(r, 8);
	if (n >= KILN_MAX_FRAMES - 1) /* else it is cut before it is so deep */
		for (uint32_t i = 0; i < n; i++)
			frames[i] = 0x1010;
	add_gapped(w, side, side == KILN_SIDE_USER ? rnd_below(r, UNWIND_END_COUNT) : UNWIND_ON,
		   side == KILN_SIDE_USER ? gap : 0, frames, n);
}

/* A word of one of the window's stacks, or one that names none. */
static uint64_t random_word(const struct window *w, enum kiln_stack_side side, uint64_t *r)
{
	const struct window_stack *s = &w->stacks.data[rnd_below(r, (uint32_t)w->stacks.len)];

	if (!rnd_below(r, 10))
		return rnd_below(r, 3) * 1000; /* none, or not there */
	return s->side == side ? s->word : rnd_below(r, 2);
}

static struct window *random_window(uint64_t *r)
{
	struct window *w = new_window();
	static const char *const comms[] = {"a", "b", ""};

	for (int i = 0; i < 20; i++)
		random_stack(w, r);
	for (int i = 0; i < ROWS; i++) {
		struct kiln_count_key key = {
			.tgid = 9 + rnd_below(r, 5),
			.tid = 1 + rnd_below(r, 2),
			.cgroup_id = rnd_below(r, 3),
			.in_user = rnd_below(r, 2),
			.image = rnd_below(r, 2),
		};

		strncpy(key.comm, comms[rnd_below(r, 3)], sizeof(key.comm) - 1);
		key.user_stack = random_word(w, KILN_SIDE_USER, r);
		key.kernel_stack = random_word(w, KILN_SIDE_KERNEL, r);
		add_row(w, rnd_below(r, 100) * SEC, 1 + rnd_below(r, 100), key);
	}
	return w;
}

/* --- the comparison ----------------------------------------------------------------------------- */

TEST(test_random_windows)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		uint64_t r = hash_u64(seed) | 1;
		struct procs *p = known_table();
		struct aggregate a = {0};
		struct model m = {0};
		char *want, *got;

		for (int i = 0; i < WINDOWS; i++) {
			struct window *w = random_window(&r);

			aggregate_window(&a, w, p, ksyms);
			model_window(&m, w);
			window_free(w);
		}
		want = print_model(&m);
		got = print_aggregate_exes(&a, true);
		assert_string_equal(got, want);
		assert_int_equal(a.recorded, m.total);
		assert_int_equal(a.lost_memory, 0);
		free(want);
		free(got);
		model_release(&m);
		aggregate_clear(&a);
		procs_free(p);
	}
}

/* What there is memory for is a part of what there would be with enough of it. */
static void assert_part(const struct aggregate *a, struct model *m)
{
	char *text = print_aggregate_exes(a, true), *save = NULL;
	uint64_t sum = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *equals = strrchr(line, '=');
		uint64_t n = strtoull(equals + 1, NULL, 10), *most;

		equals[-1] = '\0';
		most = model_count(m, line);
		if (!most || n > *most)
			fail_msg("%s: %" PRIu64, line, n);
		sum += n;
	}
	assert_int_equal(a->recorded, sum);
	assert_int_equal(a->recorded + a->lost_memory, m->total);
	free(text);
}

TEST(test_random_windows_in_little_memory)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		uint64_t r = hash_u64(seed) | 1, lost = 0;
		struct procs *p = known_table();
		struct aggregate a = {.max_bytes = 4096 + rnd_below(&r, 60000)};
		struct model m = {0};

		for (int i = 0; i < WINDOWS; i++) {
			struct window *w = random_window(&r);

			aggregate_window(&a, w, p, ksyms);
			model_window(&m, w);
			window_free(w);
			assert_part(&a, &m);
			assert_true(a.lost_memory >= lost);
			lost = a.lost_memory;
			/* the tables may double when the cap is near */
			assert_true(aggregate_bytes(&a) < 2 * a.max_bytes + 4096);
		}
		assert_true(a.recorded > 0 && a.lost_memory > 0);
		model_release(&m);
		aggregate_clear(&a);
		procs_free(p);
	}
}

static int setup(void **state)
{
	(void)state;
	return ksyms_new(&ksyms);
}

static int teardown(void **state)
{
	(void)state;
	ksyms_free(ksyms);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_windows),
		cmocka_unit_test(test_random_windows_in_little_memory),
	};

	return cmocka_run_group_tests_name("aggregate_model", tests, setup, teardown);
}
