// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "profiler/unwind/unwind_cache.h"
#include "symbolizer/unwind/unwind_table.h"
#include "tests/lib/fixture.h"

static const struct build_id id = {.data = {1, 2, 3}, .len = 3};

/* The table of this very program. */
static void *make_table(size_t *len)
{
	struct elf_obj *obj;
	void *blob;

	assert_int_equal(elf_obj_open(&obj, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), NULL), 0);
	assert_int_equal(unwind_table_build(&blob, len, obj, NULL), 0);
	elf_obj_free(obj);
	return blob;
}

static void assert_stats(const struct unwind_cache *c, uint64_t hits, uint64_t writes, uint64_t bad)
{
	uint64_t h, w, b;

	unwind_cache_stats(c, &h, &w, &b);
	assert_int_equal(h, hits);
	assert_int_equal(w, writes);
	assert_int_equal(b, bad);
}

static void test_table_comes_back(void **state)
{
	struct unwind_cache *c;
	void *table, *got;
	size_t len, n;

	(void)state;
	table = make_table(&len);
	assert_int_equal(unwind_cache_open(&c, fixture_at("cache")), 0);
	assert_int_equal(unwind_cache_get(c, &id, &got, &n), -ENOENT);
	unwind_cache_put(c, &id, table, len);
	unwind_cache_close(c);
	assert_int_equal(unwind_cache_open(&c, fixture_at("cache")), 0);
	assert_int_equal(unwind_cache_get(c, &id, &got, &n), 0);
	assert_int_equal(n, len);
	assert_memory_equal(got, table, len);
	assert_stats(c, 1, 0, 0);
	unwind_cache_close(c);
	free(got);
	free(table);
}

static void test_damaged_table_goes(void **state)
{
	struct unwind_cache *c;
	char *table;
	void *got;
	size_t len, n;

	(void)state;
	table = make_table(&len);
	table[len / 2] ^= 1;
	assert_int_equal(unwind_cache_open(&c, fixture_at("damaged")), 0);
	unwind_cache_put(c, &id, table, len);
	assert_int_equal(unwind_cache_get(c, &id, &got, &n), -EBADMSG);
	assert_int_equal(unwind_cache_get(c, &id, &got, &n), -ENOENT);
	assert_stats(c, 0, 1, 1);
	unwind_cache_close(c);
	free(table);
}

static void test_without_a_directory(void **state)
{
	struct unwind_cache *c;
	void *got;
	size_t n;

	(void)state;
	assert_int_equal(unwind_cache_open(&c, NULL), 0);
	unwind_cache_put(c, &id, "x", 1);
	assert_int_equal(unwind_cache_get(c, &id, &got, &n), -ENOENT);
	assert_stats(c, 0, 0, 0);
	unwind_cache_close(c);
}

static void *use(void *arg)
{
	struct unwind_cache *c = arg;
	void *got;
	size_t n;

	for (int i = 0; i < 200; i++) {
		unwind_cache_put(c, &id, "no table", 8);
		unwind_cache_get(c, &id, &got, &n);
	}
	return NULL;
}

/* One thread fills the cache, another asks how it fares: for ThreadSanitizer. */
static void test_stats_from_another_thread(void **state)
{
	uint64_t hits, writes = 0, bad, last = 0;
	struct unwind_cache *c;
	pthread_t thread;

	(void)state;
	assert_int_equal(unwind_cache_open(&c, fixture_at("shared")), 0);
	assert_int_equal(pthread_create(&thread, NULL, use, c), 0);
	while (writes < 200) {
		unwind_cache_stats(c, &hits, &writes, &bad);
		assert_true(writes >= last);
		last = writes;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_stats(c, 0, 200, 200);
	unwind_cache_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_comes_back),
		cmocka_unit_test(test_damaged_table_goes),
		cmocka_unit_test(test_without_a_directory),
		cmocka_unit_test(test_stats_from_another_thread),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
