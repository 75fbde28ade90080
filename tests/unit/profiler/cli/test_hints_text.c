// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines about binaries that make stacks or names worse: which, in what order, and their cures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/base/log.h"
#include "profiler/cli/hints_text.h"
#include "profiler/profile/quality.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void add(struct profile *p, const char *module, int64_t count)
{
	uint32_t frame = location_id(p, mapping_id(p, module, "", true), 0x10, NULL), stack, set;

	MUST(profile_stack(p, &frame, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){count, count}));
}

static void check(const struct profile *p, struct quality_blame *rows, size_t n,
		  const char *expected)
{
	struct quality q = {
		.user_complete = 60,
		.user_truncated = 20,
		.user_missing = 20,
		.blame = {.data = rows, .len = n},
	};
	struct term file = {0};
	struct buf b = {0};

	answer_blame(&b, p, &q, &file);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
}

TEST(test_worst_first)
{
	struct profile *p = profile_new();
	struct quality_blame rows[] = {
		{"a.so", 1, 1, 0, NULL},
		{"b.so", 1, 1, 0, "cure b"},
		{"c.so", 1, 0, 20, NULL},
		{"none.so", 1, 1, 0, "no!"},
	};

	MUST(profile_init_cpu(p, 1));
	add(p, "a.so", 10);
	add(p, "b.so", 30);
	add(p, "main", 60);
	check(p, rows, 4,
	      "note: b.so: 30 % of samples have a frame in it without a name. cure b\n"
	      "note: c.so: 20 % of all stacks break in it\n"
	      "note: a.so: 10 % of samples have a frame in it without a name\n");
	profile_free(p);
}

/* What got less is not "-900 % of samples". */
TEST(test_a_difference)
{
	struct profile *p = profile_new();
	struct quality_blame rows[] = {{"a.so", 1, 1, 0, NULL}};

	MUST(profile_init_cpu(p, 1));
	add(p, "a.so", 10);
	add(p, "main", -9);
	check(p, rows, 1, "");
	profile_free(p);
}

/* With -q nothing is said but errors. */
TEST(test_quiet)
{
	struct profile *p = profile_new();
	struct quality_blame rows[] = {{"a.so", 1, 1, 0, NULL}};

	MUST(profile_init_cpu(p, 1));
	add(p, "a.so", 10);
	log_set_level(LOG_QUIET);
	check(p, rows, 1, "");
	log_set_level(LOG_NORMAL);
	check(p, rows, 1, "note: a.so: 100 % of samples have a frame in it without a name\n");
	profile_free(p);
}

/* An archive is told where it is needed first, and again only if it is another one. */
TEST(test_archives)
{
	struct profile *p = profile_new();
	struct quality_blame rows[] = {
		{"a.so", 1, 1, 0, "apt install a (deb http://x main)"},
		{"b.so", 1, 1, 0, "apt install b (deb http://x main); c"},
		{"d.so", 1, 1, 0, "apt install d (deb http://y main)"},
	};

	MUST(profile_init_cpu(p, 1));
	add(p, "a.so", 50);
	add(p, "b.so", 30);
	add(p, "d.so", 20);
	check(p, rows, 3,
	      "note: a.so: 50 % of samples have a frame in it without a name. "
	      "apt install a (deb http://x main)\n"
	      "note: b.so: 30 % of samples have a frame in it without a name. apt install b; c\n"
	      "note: d.so: 20 % of samples have a frame in it without a name. "
	      "apt install d (deb http://y main)\n");
	profile_free(p);
}

static void add_of(struct profile *p, const char *module, const char *comm, int64_t count)
{
	uint32_t frame = location_id(p, mapping_id(p, module, "", true), 0x10, NULL), stack, set;
	struct profile_label label = {str_id(p, LABEL_COMM), str_id(p, comm), 0, str_id(p, "")};

	MUST(profile_stack(p, &frame, 1, &stack));
	MUST(profile_labelset(p, &label, 1, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){count, count}));
}

/* A program's file may have a name that nobody knows it by. */
TEST(test_programs_of_another_name)
{
	struct profile *p = profile_new();
	struct quality_blame rows[] = {
		{"redis-check-rdb", 1, 1, 0, NULL},
		{"python3.11", 1, 1, 0, NULL},
		{"libx.so", 1, 1, 0, NULL},
		{"busybox", 1, 1, 0, NULL},
		{"node", 1, 1, 0, NULL},
	};

	MUST(profile_init_cpu(p, 1));
	add_of(p, "redis-check-rdb", "redis-server", 299);
	add_of(p, "redis-check-rdb", "bio_close_file", 1);
	add_of(p, "python3.11", "python3", 250);
	add_of(p, "libx.so", "redis-server", 200);
	add_of(p, "busybox", "sh", 80);
	add_of(p, "busybox", "sed", 70);
	add_of(p, "node", "MainThread", 100);
	check(p, rows, 5,
	      "note: redis-check-rdb (redis-server): 30 % of samples have a frame in it without a "
	      "name\n"
	      "note: python3.11: 25 % of samples have a frame in it without a name\n"
	      "note: libx.so: 20 % of samples have a frame in it without a name\n"
	      "note: busybox: 15 % of samples have a frame in it without a name\n"
	      "note: node: 10 % of samples have a frame in it without a name\n");
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worst_first),
		cmocka_unit_test(test_a_difference),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_archives),
		cmocka_unit_test(test_programs_of_another_name),
	};

	return cmocka_run_group_tests_name("hints_text", tests, NULL, NULL);
}
