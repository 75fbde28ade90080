// SPDX-License-Identifier: GPL-2.0-or-later
/* Names that were found lately: never a wrong one, never more bytes than allowed, and what is asked for
 * stays. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "profiler/naming/name_cache.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct name_cache *new_cache(size_t max_bytes)
{
	struct name_cache *c;

	assert_int_equal(name_cache_new(&c, max_bytes), 0);
	return c;
}

static struct name_cache_stats stats_of(const struct name_cache *c)
{
	struct name_cache_stats s;

	name_cache_stats(c, &s);
	return s;
}

/* --- what a name looks like: it follows from its key ----------------------------------------- */

#define MAX_LINES 4

struct made {
	struct cached_line lines[MAX_LINES];
	char texts[MAX_LINES][3][400];
	struct cached_name name;
};

static const char *make_text(char *out, uint64_t *r, const char *kind, unsigned max)
{
	int n = sprintf(out, "%s%" PRIx64 "_", kind, rnd(r));
	unsigned len = (unsigned)n + rnd_below(r, max);

	memset(out + n, 'x', len - (unsigned)n);
	out[len] = '\0';
	return out;
}

static const struct cached_name *make(struct made *m, uint32_t file, uint64_t off)
{
	uint64_t r = hash_mix(hash_u64(file + 1), off) | 1;

	m->name = (struct cached_name){
		.elf_va = off + 0x1000,
		.seg_va = rnd(&r),
		.seg_len = rnd(&r),
		.seg_off = rnd(&r),
		.as = rnd_below(&r, 3),
		.is_root = rnd_below(&r, 2),
		.lines = m->lines,
		.n_lines = rnd_below(&r, MAX_LINES + 1),
	};
	for (size_t i = 0; i < m->name.n_lines; i++) {
		struct cached_line *l = &m->lines[i];

		l->name = make_text(m->texts[i][0], &r, "name", 300);
		l->raw_name = rnd_below(&r, 2) ? make_text(m->texts[i][1], &r, "_Z", 300) : NULL;
		l->file = rnd_below(&r, 2) ? make_text(m->texts[i][2], &r, "/src/", 30) : NULL;
		l->line = rnd_below(&r, 1000);
		l->start_line = rnd_below(&r, 1000);
	}
	return &m->name;
}

static void assert_text(const char *got, const char *want)
{
	assert_int_equal(!got, !want);
	if (want)
		assert_string_equal(got, want);
}

static void assert_is(const struct cached_name *got, uint32_t file, uint64_t off)
{
	struct made m;
	const struct cached_name *want = make(&m, file, off);

	assert_int_equal(got->elf_va, want->elf_va);
	assert_int_equal(got->seg_va, want->seg_va);
	assert_int_equal(got->seg_len, want->seg_len);
	assert_int_equal(got->seg_off, want->seg_off);
	assert_int_equal(got->as, want->as);
	assert_int_equal(got->is_root, want->is_root);
	assert_int_equal(got->n_lines, want->n_lines);
	for (size_t i = 0; i < want->n_lines; i++) {
		assert_text(got->lines[i].name, want->lines[i].name);
		assert_text(got->lines[i].raw_name, want->lines[i].raw_name);
		assert_text(got->lines[i].file, want->lines[i].file);
		assert_int_equal(got->lines[i].line, want->lines[i].line);
		assert_int_equal(got->lines[i].start_line, want->lines[i].start_line);
	}
}

static void add(struct name_cache *c, uint32_t file, uint64_t off)
{
	struct made m;

	name_cache_add(c, file, off, make(&m, file, off));
}

/* Whether it is there; then it must be right. */
static bool find(struct name_cache *c, uint32_t file, uint64_t off)
{
	struct cached_name got;

	if (!name_cache_find(c, file, off, &got))
		return false;
	assert_is(&got, file, off);
	return true;
}

/* As naming does. */
static bool ask(struct name_cache *c, uint32_t file, uint64_t off)
{
	bool found = find(c, file, off);

	if (!found)
		add(c, file, off);
	return found;
}

/* --- tests -------------------------------------------------------------------------------------- */

TEST(test_what_was_added_is_found)
{
	struct name_cache *c = new_cache(0);
	struct name_cache_stats s;

	for (uint32_t file = 0; file < 20; file++)
		for (uint64_t off = 0; off < 20; off++)
			assert_false(ask(c, file, off * off));
	for (uint32_t file = 0; file < 20; file++)
		for (uint64_t off = 0; off < 20; off++)
			assert_true(find(c, file, off * off));
	assert_false(find(c, 20, 1));
	assert_false(find(c, 1, 2)); /* 2 is no square */
	s = stats_of(c);
	assert_int_equal(s.hits, 400);
	assert_int_equal(s.misses, 402);
	assert_int_equal(s.entries, 400);
	assert_int_equal(s.dropped, 0);
	name_cache_clear(c);
	assert_false(find(c, 1, 1));
	s = stats_of(c);
	assert_int_equal(s.entries, 0);
	assert_int_equal(s.bytes, 0);
	assert_false(ask(c, 1, 1));
	assert_true(ask(c, 1, 1));
	name_cache_free(c);
	name_cache_free(NULL);
}

/* A program that runs on, and a crowd of those that are seen once. */
TEST(test_what_is_asked_for_stays)
{
	struct name_cache *c = new_cache(1 << 20);
	struct name_cache_stats s;

	for (uint64_t off = 0; off < 100; off++)
		ask(c, 1, off);
	for (uint32_t round = 0; round < 200; round++) {
		for (uint64_t off = 0; off < 100; off++)
			assert_true(ask(c, 1, off));
		for (uint64_t off = 0; off < 100; off++)
			assert_false(ask(c, 2 + round, off));
	}
	for (uint64_t off = 0; off < 100; off++)
		assert_false(find(c, 2, off)); /* the crowd of the first round is gone */
	for (uint64_t off = 0; off < 100; off++)
		assert_true(find(c, 201, off)); /* that of the last one is not */
	s = stats_of(c);
	/* each was added once: what moved on was not forgotten */
	assert_int_equal(s.entries + s.dropped, 100 + 200 * 100);
	name_cache_free(c);
}

TEST(test_the_cap_is_kept)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		uint64_t r = hash_u64(seed) | 1;
		size_t max_bytes = (256u << 10) + rnd_below(&r, 1 << 20), most = 0;
		struct name_cache *c = new_cache(max_bytes);
		struct name_cache_stats s;
		uint64_t asked = 0;

		for (int i = 0; i < 20000; i++) {
			uint32_t file = rnd_below(&r, 1u << rnd_below(&r, 8));
			uint64_t off = rnd_below(&r, 1u << rnd_below(&r, 10));

			asked++;
			ask(c, file, off);
			s = stats_of(c);
			assert_true(s.bytes <= max_bytes);
			most = s.bytes > most ? s.bytes : most;
			if (!rnd_below(&r, 8000))
				name_cache_clear(c);
		}
		assert_int_equal(s.hits + s.misses, asked);
		assert_true(s.dropped > 0 && s.hits > asked / 10);
		assert_true(most > max_bytes / 2); /* and is made use of */
		name_cache_free(c);
	}
}

/* Too little room for anything: then nothing is remembered. */
TEST(test_a_cap_below_all_sizes)
{
	static const size_t caps[] = {1, 100, 4096, 60000, 70000, 140000};

	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
		struct name_cache *c = new_cache(caps[i]);

		for (uint64_t off = 0; off < 1000; off++) {
			ask(c, 1, off % 10);
			assert_true(stats_of(c).bytes <= caps[i]);
		}
		name_cache_free(c);
	}
}

/* So many keys that some have the same hash of 32 bits. */
TEST(test_keys_that_collide)
{
	enum { N = 250000 };

	for (int by_file = 0; by_file < 2; by_file++) {
		struct name_cache *c = new_cache(256u << 20);
		struct cached_name got;

		for (uint32_t i = 0; i < N; i++) {
			struct cached_name name = {.elf_va = i};

			name_cache_add(c, by_file ? i : 7, by_file ? 7 : i, &name);
		}
		for (uint32_t i = 0; i < N; i++) {
			assert_true(name_cache_find(c, by_file ? i : 7, by_file ? 7 : i, &got));
			assert_int_equal(got.elf_va, i);
		}
		name_cache_free(c);
	}
}

#if FAIL_ALLOC

TEST(test_every_allocation_may_fail)
{
	bool failed = true;

	for (long n = 0; failed; n++) {
		struct name_cache *c = new_cache(300 << 10);

		allocs_begin(n);
		for (uint64_t off = 0; off < 600; off++) {
			ask(c, 1, off);
			find(c, 1, off / 2);
		}
		failed = allocs_end();
		for (uint64_t off = 0; off < 600; off++)
			find(c, 1, off);
		ask(c, 1, 1000);
		assert_true(ask(c, 1, 1000));
		name_cache_free(c);
	}
}

TEST(test_bytes_are_those_that_are_held)
{
	struct name_cache *c;

	allocs_begin(-1);
	c = new_cache(1 << 20);
	for (uint64_t off = 0; off < 20000; off++) {
		struct name_cache_stats s;

		ask(c, 1, off);
		name_cache_stats(c, &s);
		/* but for what does not grow */
		assert_in_range(allocs.bytes, s.bytes, s.bytes + 2000);
	}
	name_cache_free(c);
	allocs_end();
	assert_int_equal(allocs.blocks, 0);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_added_is_found),
		cmocka_unit_test(test_what_is_asked_for_stays),
		cmocka_unit_test(test_the_cap_is_kept),
		cmocka_unit_test(test_a_cap_below_all_sizes),
		cmocka_unit_test(test_keys_that_collide),
#if FAIL_ALLOC
		cmocka_unit_test(test_every_allocation_may_fail),
		cmocka_unit_test(test_bytes_are_those_that_are_held),
#endif
	};

	return cmocka_run_group_tests_name("name_cache", tests, NULL, NULL);
}
