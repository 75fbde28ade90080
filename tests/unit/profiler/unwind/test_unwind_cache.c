// SPDX-License-Identifier: GPL-2.0-or-later
/* Compiled unwind tables on disk: what is kept, within how many bytes, and what is damaged. Needs cc. */
#include "profiler/unwind/unwind_cache.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>

#include "profiler/base/cache_dir.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/unwind_source.h"
#include "symbolizer/unwind/unwind_table.h"
#include "tests/lib/fixture.h"

static void *table;
static size_t table_len;

static int setup(void **state)
{
	struct elf_obj *obj;

	if (fixture_setup(state))
		return -1;
	fixture_write("x.c", "int x(void) { return 0; }\n");
	fixture_run("cc -shared -nostdlib -o lib x.c");
	if (elf_obj_open(&obj, fixture_open("lib"), NULL) ||
	    unwind_table_build(&table, &table_len, obj, NULL))
		return -1;
	elf_obj_free(obj);
	return 0;
}

static int teardown(void **state)
{
	free(table);
	return fixture_teardown(state);
}

static struct file_identity id_of(uint32_t i)
{
	struct file_identity id = {{0}};

	memcpy(id.data, &i, sizeof(i));
	return id;
}

static struct unwind_cache *open_cache(uint64_t max_bytes)
{
	struct unwind_cache *c;

	fixture_run("rm -rf cache");
	assert_int_equal(unwind_cache_open(&c, "cache", max_bytes), 0);
	return c;
}

static struct unwind_cache_stats stats_of(const struct unwind_cache *c)
{
	struct unwind_cache_stats s;

	unwind_cache_stats(c, &s);
	return s;
}

static int get(struct unwind_cache *c, uint32_t i)
{
	struct file_identity id = id_of(i);
	void *blob = NULL;
	size_t len = 0;
	int err = unwind_cache_get(c, &id, &blob, &len);

	if (!err) {
		assert_int_equal(len, table_len);
		assert_memory_equal(blob, table, len);
	}
	free(blob);
	return err;
}

static void put(struct unwind_cache *c, uint32_t i)
{
	struct file_identity id = id_of(i);

	unwind_cache_put(c, &id, table, table_len);
}

static size_t n_files(void)
{
	DIR *dir = opendir("cache");
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir));)
		n += strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
	closedir(dir);
	return n;
}

static void test_kept(void **state)
{
	struct unwind_cache *c = open_cache(0);

	(void)state;
	assert_int_equal(get(c, 1), -ENOENT);
	put(c, 1);
	assert_int_equal(get(c, 1), 0);
	assert_int_equal(get(c, 2), -ENOENT);
	unwind_cache_close(c);
	assert_int_equal(unwind_cache_open(&c, "cache", 0), 0);
	assert_int_equal(get(c, 1), 0);
	assert_int_equal(stats_of(c).hits, 1);
	unwind_cache_close(c);
}

/* The least recently used go; one that is asked for stays. */
static void test_bound(void **state)
{
	enum { KEPT = 10 };
	struct unwind_cache *c = open_cache(KEPT * 4096); /* what a file counts at least */

	(void)state;
	assert_in_range(table_len, 1, 4096);
	put(c, 0);
	for (uint32_t i = 1; i < 100; i++) {
		usleep(11000); /* files are told apart by a clock that ticks so often at least */
		put(c, i);
		assert_int_equal(get(c, 0), 0);
		assert_in_range(n_files(), 1, KEPT);
	}
	assert_int_equal(stats_of(c).writes, 100);
	assert_int_equal(stats_of(c).dropped, 100 - KEPT);
	for (uint32_t i = 1; i < 100; i++)
		assert_int_equal(get(c, i), i > 100 - KEPT ? 0 : -ENOENT);
	unwind_cache_close(c);
}

/* What a process left that was killed while it wrote goes with the next start; what one writes now does not. */
static void test_left_behind(void **state)
{
	struct unwind_cache *c = open_cache(0);
	char name[CACHE_DIR_NAME_MAX];
	int dir = open("cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = cache_dir_new_file(dir, name);

	(void)state;
	assert_true(fd >= 0);
	fixture_run("for i in 1 2 3 4; do echo half >cache/.tmp-77-$i.unw; done; mkfifo "
		    "cache/.tmp-fifo");
	unwind_cache_close(c);
	assert_int_equal(unwind_cache_open(&c, "cache", 0), 0);
	assert_int_equal(n_files(), 1);
	assert_int_equal(faccessat(dir, name, F_OK, 0), 0);
	close(fd);
	unwind_cache_close(c);
	assert_int_equal(unwind_cache_open(&c, "cache", 0), 0);
	assert_int_equal(n_files(), 0);
	put(c, 1);
	assert_int_equal(get(c, 1), 0);
	close(dir);
	unwind_cache_close(c);
}

static void test_damaged(void **state)
{
	struct unwind_cache *c = open_cache(0);

	(void)state;
	put(c, 1);
	fixture_run("for f in cache/*; do printf x | dd of=$f bs=1 seek=9 conv=notrunc "
		    "2>/dev/null; done");
	assert_int_equal(get(c, 1), -EBADMSG);
	assert_int_equal(get(c, 1), -ENOENT);
	assert_int_equal(stats_of(c).bad, 1);
	unwind_cache_close(c);
}

static void test_without_a_directory(void **state)
{
	struct unwind_cache *c;

	(void)state;
	assert_int_equal(unwind_cache_open(&c, NULL, 0), 0);
	put(c, 1);
	assert_int_equal(get(c, 1), -ENOENT);
	assert_int_equal(stats_of(c).writes, 0);
	unwind_cache_close(c);
}

static void *use(void *arg)
{
	struct unwind_cache *c = arg;
	const struct file_identity id = id_of(7);
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
	struct unwind_cache *c = open_cache(0);
	uint64_t writes = 0, last = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, use, c), 0);
	while (writes < 200) {
		writes = stats_of(c).writes;
		assert_true(writes >= last);
		last = writes;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(stats_of(c).bad, 200);
	unwind_cache_close(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_without_a_directory),
		cmocka_unit_test(test_stats_from_another_thread),
	};

	return cmocka_run_group_tests_name("unwind_cache", tests, setup, teardown);
}
