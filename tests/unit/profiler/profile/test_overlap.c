// SPDX-License-Identifier: GPL-2.0-or-later
/* Which functions have the same samples. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "profiler/profile/overlap.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct profile *p;
static struct overlap o;

static uint32_t frame(const char *name)
{
	static uint64_t address = 0x1000;

	return location_id(p, mapping_id(p, "/bin/app", "", true), address++, name);
}

static void add(int64_t count, const uint32_t *frames, size_t n)
{
	uint32_t stack, labels;

	MUST(profile_stack(p, frames, n, &stack));
	MUST(profile_labelset(p, NULL, 0, &labels));
	MUST(profile_add(p, stack, labels, (int64_t[]){count, count * 1000}));
}
#define ADD(count, ...)                                                                            \
	add(count, (const uint32_t[]){__VA_ARGS__},                                                \
	    sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* read, of which most comes from disk; write of its own; both by run. */
static int begin(void **state)
{
	(void)state;
	p = profile_new();
	if (!p || profile_init_cpu(p, 1000))
		return -1;
	ADD(60, frame("disk"), frame("read"), frame("run"));
	ADD(20, frame("read"), frame("read"), frame("run")); /* recursive: counts once */
	ADD(20, frame("write"), frame("run"));
	MUST(overlap_open(&o, p, 0));
	return 0;
}

static int end(void **state)
{
	(void)state;
	overlap_release(&o);
	profile_free(p);
	return 0;
}

TEST(test_shares)
{
	assert_int_equal(overlap_add(&o, "run"), 0);
	assert_int_equal(overlap_add(&o, "read"), 1);
	assert_int_equal(overlap_add(&o, "disk"), 2);
	assert_int_equal(overlap_add(&o, "write"), 3);
	assert_float_equal(overlap_share(&o, 0, 0), 1, 1e-9);
	assert_float_equal(overlap_share(&o, 0, 1), 0.8, 1e-9);
	assert_float_equal(overlap_share(&o, 1, 0), 0.8, 1e-9);
	assert_float_equal(overlap_share(&o, 2, 1), 0.75, 1e-9);
	assert_float_equal(overlap_share(&o, 1, 3), 0, 1e-9);
}

TEST(test_no_such_function)
{
	assert_int_equal(overlap_add(&o, "run"), 0);
	assert_int_equal(overlap_add(&o, "no such"), 1);
	assert_float_equal(overlap_share(&o, 0, 1), 0, 1e-9);
	assert_float_equal(overlap_share(&o, 1, 1), 0, 1e-9);
}

TEST(test_taken_back)
{
	assert_int_equal(overlap_add(&o, "run"), 0);
	assert_int_equal(overlap_add(&o, "run"), 1);
	overlap_drop(&o);
	assert_int_equal(overlap_add(&o, "write"), 1);
	assert_float_equal(overlap_share(&o, 0, 1), 0.2, 1e-9);
}

TEST(test_full)
{
	for (int i = 0; i < OVERLAP_MAX; i++)
		assert_int_equal(overlap_add(&o, i % 2 ? "read" : "write"), i);
	assert_int_equal(overlap_add(&o, "disk"), -ENOSPC);
	assert_float_equal(overlap_share(&o, 1, OVERLAP_MAX - 1), 1, 1e-9);
	assert_float_equal(overlap_share(&o, 0, OVERLAP_MAX - 1), 0, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shares, begin, end),
		cmocka_unit_test_setup_teardown(test_no_such_function, begin, end),
		cmocka_unit_test_setup_teardown(test_taken_back, begin, end),
		cmocka_unit_test_setup_teardown(test_full, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
