// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/window/code_times.h"
#include "tests/lib/fixture.h"

static struct kiln_count_key key(uint32_t tgid, uint32_t image)
{
	return (struct kiln_count_key){.tgid = tgid, .image = image};
}

static void add(struct code_times *t, uint32_t tgid, uint32_t image, uint64_t first_ns)
{
	struct kiln_count_key k = key(tgid, image);

	code_times_add(t, &k, first_ns);
}

static uint64_t of(const struct code_times *t, uint32_t tgid, uint32_t image)
{
	struct kiln_count_key k = key(tgid, image);

	return code_times_of(t, &k);
}

static void test_generations(void **state)
{
	struct code_times t = {0};

	(void)state;
	assert_int_equal(of(&t, 1, 1), 0);
	add(&t, 1, 1, 10);
	add(&t, 1, 1, 30);
	add(&t, 1, 1, 20);
	/* Not the end of the window: its code may have been replaced since, and not sampled again. */
	assert_int_equal(of(&t, 1, 1), 30);
	add(&t, 1, 3, 70);
	add(&t, 1, 2, 50);
	add(&t, 1, 2, 40);
	add(&t, 2, 1, 60); /* another process */
	assert_int_equal(of(&t, 1, 1), 30);
	assert_int_equal(of(&t, 1, 2), 50);
	assert_int_equal(of(&t, 1, 3), 70);
	assert_int_equal(of(&t, 2, 1), 60);
	assert_int_equal(of(&t, 2, 2), 0);
	code_times_release(&t);
}

static void test_many(void **state)
{
	struct code_times t = {0};

	(void)state;
	for (uint32_t i = 0; i < 20000; i++)
		add(&t, i % 7, i, i);
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(of(&t, i % 7, i), i);
	code_times_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("code_times", tests, NULL, NULL);
}
