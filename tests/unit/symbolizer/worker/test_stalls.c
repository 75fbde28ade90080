// SPDX-License-Identifier: GPL-2.0-or-later
/* What is remembered of files and file systems that a reader failed on: how many, and for how long. */
#include "profiler/base/cleanup.h"
#include "symbolizer/worker/stalls.h"
#include "tests/lib/fixture.h"

#define _cleanup_stalls_ _cleanup_(stalls_release)

static struct file_id numbered(uint32_t number)
{
	return (struct file_id){.number = number};
}

static int distrust(struct stalls *s, uint32_t number, enum trust left, uint64_t now_ns)
{
	const struct file_id id = numbered(number);

	return stalls_distrust(s, &id, left, now_ns);
}

static enum trust trust_in(struct stalls *s, uint32_t number, uint64_t now_ns)
{
	const struct file_id id = numbered(number);

	return stalls_trust(s, &id, now_ns);
}

/* What the kernel says of the file and the number, and neither is enough. What the file says of itself does not
 * count: somebody else's file would be given up with it. */
static void test_identity(void **state)
{
	const struct build_id mapped = {{1, 2}, 2};
	struct sym_file a = {.root_fd = -1, .build_id = &mapped}, b = a;
	struct file_identity known;
	struct file_id x, y;

	(void)state;
	fixture_run("echo a >a && cp -p a b");
	a.fd = fixture_open("a");
	b.fd = fixture_open("b");
	file_id_of(&a, &x);
	file_id_of(&b, &y);
	assert_false(file_id_equal(&x, &y));
	assert_true(sym_file_identity(&a, &known));
	b.identity = &known;
	file_id_of(&b, &y);
	assert_true(file_id_equal(&x, &y));
	y.number = 1;
	assert_false(file_id_equal(&x, &y));
	close(a.fd);
	close(b.fd);
}

static void test_less_and_less(void **state)
{
	_cleanup_stalls_ struct stalls s = {0};

	(void)state;
	assert_int_equal(trust_in(&s, 1, 5), ALL);
	assert_int_equal(distrust(&s, 1, NO_LINES, 5), 0);
	assert_int_equal(trust_in(&s, 1, 5), NO_LINES);
	assert_int_equal(distrust(&s, 1, NO_NAMES, 5), 0);
	assert_int_equal(trust_in(&s, 1, UINT64_MAX), NO_NAMES); /* keep_ns 0: for ever */
	assert_int_equal(trust_in(&s, 2, 5), ALL);
	assert_int_equal(s.files_failed, 1); /* a file counts once */
}

static void test_forgotten_in_time(void **state)
{
	_cleanup_stalls_ struct stalls s = {.keep_ns = 100};

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(distrust(&s, i, NO_NAMES, 1000 + i), 0);
	assert_int_equal(trust_in(&s, 0, 1100), NO_NAMES);
	assert_int_equal(trust_in(&s, 0, 1101), ALL);
	assert_int_equal(s.bad.len, 2);
	assert_int_equal(trust_in(&s, 1, 1101), NO_NAMES);
	assert_int_equal(trust_in(&s, 2, 1101), NO_NAMES);
	assert_int_equal(stalls_note(&s, 7, 1000), 0);
	assert_int_equal(stalls_note(&s, 7, 1100), 0);
	assert_int_equal(stalls_on(&s, 7, 1100), 2);
	assert_int_equal(stalls_on(&s, 7, 1101), 0);
	assert_int_equal(s.devs.len, 0);
}

/* At their caps: the oldest file makes room, another file system is only counted. */
static void test_caps(void **state)
{
	_cleanup_stalls_ struct stalls s = {0};

	(void)state;
	for (uint32_t i = 0; i <= BAD_FILES_MAX; i++)
		assert_int_equal(distrust(&s, i, NO_NAMES, i), 0);
	assert_int_equal(s.bad.len, BAD_FILES_MAX);
	assert_int_equal(s.files_failed, BAD_FILES_MAX + 1);
	assert_int_equal(trust_in(&s, 0, 0), ALL);
	assert_int_equal(trust_in(&s, 1, 0), NO_NAMES);
	assert_int_equal(trust_in(&s, BAD_FILES_MAX, 0), NO_NAMES);
	for (uint64_t dev = 1; dev <= STALLED_DEVS_MAX + 1; dev++)
		assert_int_equal(stalls_note(&s, dev, 0), 0);
	assert_int_equal(s.devs.len, STALLED_DEVS_MAX);
	assert_int_equal(stalls_on(&s, STALLED_DEVS_MAX, 0), 1);
	assert_int_equal(stalls_on(&s, STALLED_DEVS_MAX + 1, 0), 0);
	assert_int_equal(s.devs_full, 1);
	assert_int_equal(stalls_note(&s, 1, 0), 0); /* one that is remembered */
	assert_int_equal(s.devs_full, 1);
}

/* A device that cannot be told is none: one hung server does not stand for all files. */
static void test_no_device(void **state)
{
	_cleanup_stalls_ struct stalls s = {0};

	(void)state;
	assert_int_equal(stalls_dev_of(SYM_FILE_OF(-1)), 0);
	assert_int_equal(stalls_note(&s, 0, 0), 0);
	assert_int_equal(stalls_on(&s, 0, 0), 0);
}

static void test_failures_of_a_window(void **state)
{
	_cleanup_stalls_ struct stalls s = {0};
	const uint64_t begin = 2 * WINDOW_NS;

	(void)state;
	assert_int_equal(stalls_failures(&s, begin), 0);
	for (int i = 0; i < 20; i++)
		stalls_note_failure(&s);
	assert_int_equal(stalls_failures(&s, begin), 20);
	assert_int_equal(stalls_failures(&s, begin + WINDOW_NS), 20);
	assert_int_equal(stalls_failures(&s, begin + WINDOW_NS + 1), 0);
	stalls_note_failure(&s);
	assert_int_equal(stalls_failures(&s, begin + 2 * WINDOW_NS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_less_and_less),
		cmocka_unit_test(test_forgotten_in_time),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_failures_of_a_window),
	};

	return cmocka_run_group_tests_name("stalls", tests, fixture_setup, fixture_teardown);
}
