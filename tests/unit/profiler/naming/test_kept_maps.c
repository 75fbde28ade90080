// SPDX-License-Identifier: GPL-2.0-or-later
/* Perf maps that are held open: for how long, and how many. */
#include "tests/lib/fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include "profiler/naming/kept_maps.h"
#include "profiler/naming/perf_map.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct kept_maps *kept;

static int begin(void **state)
{
	(void)state;
	return kept_maps_new(&kept);
}

static int end(void **state)
{
	(void)state;
	kept_maps_free(kept);
	return 0;
}

/* The descriptor that is kept. */
static int put(uint64_t image)
{
	struct perf_map map = {.fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};

	assert_true(map.fd >= 0);
	kept_maps_put(kept, image, &map);
	return map.fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

TEST(test_the_last_one_of_each_program)
{
	int first = put(1), other = put(2), second = put(1);

	assert_false(is_open(first));
	assert_int_equal(kept_maps_get(kept, 1)->fd, second);
	assert_int_equal(kept_maps_get(kept, 2)->fd, other);
	assert_null(kept_maps_get(kept, 3));
	kept_maps_free(kept);
	assert_false(is_open(second));
	assert_false(is_open(other));
	assert_int_equal(kept_maps_new(&kept), 0);
}

/* While it runs, then for the window that it ended in, which may be the next one. */
TEST(test_until_the_samples_have_names)
{
	int ends = put(1), stays = put(2);

	for (int i = 0; i < 5; i++)
		kept_maps_window_named(kept);
	assert_true(is_open(ends));
	kept_maps_ended(kept, 1);
	kept_maps_window_named(kept);
	kept_maps_ended(kept, 1); /* seen twice */
	assert_int_equal(kept_maps_get(kept, 1)->fd, ends);
	kept_maps_window_named(kept);
	assert_null(kept_maps_get(kept, 1));
	assert_false(is_open(ends));
	assert_int_equal(kept_maps_get(kept, 2)->fd, stays);
	kept_maps_ended(kept, 1);
}

TEST(test_there_may_be_too_many)
{
	uint64_t n = 0;
	int fd;

	while (!kept_maps_refused(kept) && n <= KEPT_MAPS_MAX)
		put(++n);
	assert_int_equal(kept_maps_refused(kept), 1);
	assert_null(kept_maps_get(kept, n));
	fd = put(1); /* is known: no new one */
	assert_true(is_open(fd));
	assert_int_equal(kept_maps_refused(kept), 1);
	kept_maps_ended(kept, 1);
	kept_maps_window_named(kept);
	kept_maps_window_named(kept);
	assert_true(is_open(put(n)));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_the_last_one_of_each_program),
		T(test_until_the_samples_have_names),
		T(test_there_may_be_too_many),
	};

	return cmocka_run_group_tests_name("kept_maps", tests, NULL, NULL);
}
