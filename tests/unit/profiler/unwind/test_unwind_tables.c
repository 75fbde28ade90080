// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is known of files that have no table, which needs no kernel. Tables in the kernel, their budget
 * and their eviction: tests/kernel/test_unwind_tables.c.
 */
#include "profiler/unwind/unwind_tables.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "profiler/files/files.h"
#include "symbolizer/worker/table_worker.h"
#include "tests/lib/fixture.h"
#include "tests/lib/jitdump_write.h"

static struct table_worker *compiler;
static struct unwind_tables *tables;
static int text_fd;

static void open_tables(struct unwind_tables_opts opts)
{
	struct table_worker_opts worker = {.sandbox = false};

	assert_int_equal(table_worker_new(&compiler, &worker), 0);
	opts.map_fd = -1;
	opts.compiler = compiler;
	assert_int_equal(unwind_tables_new(&tables, &opts), 0);
	fixture_write("text", "no program");
	text_fd = fixture_open("text");
}

static void close_tables(void)
{
	close(text_fd);
	unwind_tables_free(tables);
	table_worker_free(compiler);
}

static struct unwind_tables_stats stats(void)
{
	struct unwind_tables_stats s;

	unwind_tables_stats(tables, &s);
	return s;
}

/* The number of files of which news came. */
static size_t settle(void)
{
	uint32_t *changed;

	assert_true(unwind_tables_settle(tables, 60000));
	return unwind_tables_poll(tables, &changed);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Ids of files have a life in their upper bits: a new one costs no more than another file. */
static void test_ids_of_many_lives(void **state)
{
	size_t before;

	(void)state;
	open_tables((struct unwind_tables_opts){0});
	before = heap_bytes();
	for (uint32_t shift = 16; shift <= 20; shift += 4) {
		for (uint32_t life = 0; life < 8; life++) {
			uint32_t file = life << shift | 5;

			assert_int_equal(unwind_tables_want(tables, file, SYM_FILE_OF(text_fd)), 0);
			settle();
			assert_int_equal(unwind_tables_state(tables, file), TABLE_NONE);
			assert_int_not_equal(unwind_tables_error(tables, file), 0);
			assert_int_equal(unwind_tables_state(tables, file + 1), TABLE_UNKNOWN);
		}
	}
	assert_in_range(heap_bytes() - before, 0, 1 << 20);
	close_tables();
}

static uint32_t users_of(void *ctx, uint32_t file)
{
	(void)ctx;
	return file < 3;
}

/* As many files as may be known: those that nobody maps make room. */
static void test_files_full(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.max_files = 10, .users = users_of});
	for (uint32_t file = 0; file < 100; file++) {
		assert_int_equal(unwind_tables_want(tables, file, SYM_FILE_OF(text_fd)), 0);
		settle();
		assert_int_equal(unwind_tables_state(tables, file), TABLE_NONE);
		assert_in_range(stats().files, 1, 10);
	}
	for (uint32_t file = 0; file < 3; file++)
		assert_int_equal(unwind_tables_state(tables, file), TABLE_NONE);
	assert_int_equal(unwind_tables_state(tables, 50), TABLE_UNKNOWN);
	assert_int_equal(stats().files_full, 0);
	close_tables();
	/* all of them are mapped */
	open_tables((struct unwind_tables_opts){.max_files = 3, .users = users_of});
	for (uint32_t file = 0; file < 3; file++)
		assert_int_equal(unwind_tables_want(tables, file, SYM_FILE_OF(text_fd)), 0);
	settle();
	assert_int_equal(unwind_tables_want(tables, 3, SYM_FILE_OF(text_fd)), -ENOSPC);
	assert_int_equal(stats().files_full, 1);
	assert_int_equal(unwind_tables_state(tables, 3), TABLE_UNKNOWN);
	close_tables();
}

static bool is_known(void *ctx, uint32_t file)
{
	return file == *(const uint32_t *)ctx;
}

/* Files that are not known any more leave, but for what is just being done. */
static void test_forget(void **state)
{
	uint32_t keep = 2;

	(void)state;
	open_tables((struct unwind_tables_opts){0});
	for (uint32_t file = 0; file < 5; file++)
		assert_int_equal(unwind_tables_want(tables, file, SYM_FILE_OF(text_fd)), 0);
	assert_int_equal(settle(), 5);
	unwind_tables_forget(tables, is_known, &keep);
	for (uint32_t file = 0; file < 5; file++)
		assert_int_equal(unwind_tables_state(tables, file),
				 file == 2 ? TABLE_NONE : TABLE_UNKNOWN);
	assert_int_equal(stats().files, 1);
	assert_int_equal(unwind_tables_want(tables, 7, SYM_FILE_OF(text_fd)), 0);
	unwind_tables_forget(tables, is_known, &keep);
	assert_int_equal(settle(), 1);
	assert_int_equal(unwind_tables_state(tables, 7), TABLE_NONE);
	close_tables();
}

static void write_dump(struct buf *b)
{
	int fd = open("dump", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, b->data, b->len), b->len);
	close(fd);
}

/* A jitdump without code is looked at again, not too often; one whose code nothing describes is not. */
static void test_young_jitdump(void **state)
{
	struct buf dump = {0};
	uint32_t none = 1;
	int fd;

	(void)state;
	open_tables((struct unwind_tables_opts){0});
	jit_header(&dump, 0);
	write_dump(&dump);
	fd = fixture_open("dump");
	assert_false(unwind_tables_may_renew(tables, 5));
	assert_int_equal(unwind_tables_renew(tables, 5, SYM_FILE_OF(fd)), -ENOENT);
	assert_int_equal(unwind_tables_want(tables, 5, SYM_FILE_OF(fd)), 0);
	assert_int_equal(settle(), 1);
	assert_int_equal(unwind_tables_error(tables, 5), -EAGAIN);
	assert_false(unwind_tables_may_renew(tables, 5));
	/* ten times as long as it took, which a busy machine stretches */
	for (int i = 0; i < 1000 && !unwind_tables_may_renew(tables, 5); i++)
		usleep(20000);
	assert_true(unwind_tables_may_renew(tables, 5));
	assert_int_equal(unwind_tables_renew(tables, 5, SYM_FILE_OF(fd)), 0);
	assert_false(unwind_tables_may_renew(tables, 5)); /* it is under way */
	unwind_tables_forget(tables, is_known, &none);
	assert_int_equal(unwind_tables_state(tables, 5), TABLE_NONE);
	assert_int_equal(settle(), 1);
	assert_int_equal(stats().none, 1);
	jit_load(&dump, 1, 0x1000, 64, 1, "silent");
	write_dump(&dump);
	sleep(1);
	assert_int_equal(unwind_tables_renew(tables, 5, SYM_FILE_OF(fd)), 0);
	assert_int_equal(settle(), 1);
	assert_int_equal(unwind_tables_error(tables, 5), -ENODATA);
	sleep(1);
	assert_false(unwind_tables_may_renew(tables, 5));
	close(fd);
	buf_release(&dump);
	close_tables();
}

/* Every file in the queue holds a descriptor. */
static void test_queue_full(void **state)
{
	int n_queued = 0, n_refused = 0, err;

	(void)state;
	open_tables((struct unwind_tables_opts){.max_queue = 4});
	for (uint32_t file = 0; file < 10; file++) { /* nothing is polled meanwhile */
		err = unwind_tables_want(tables, file, SYM_FILE_OF(text_fd));
		assert_true(err == 0 || err == -EAGAIN);
		n_queued += !err;
		n_refused += err == -EAGAIN;
	}
	assert_int_equal(n_queued, 4);
	assert_int_equal(stats().queue_full, n_refused);
	assert_int_equal(settle(), 4);
	assert_true(unwind_tables_has_queue(tables));
	for (uint32_t file = 4; file < 10; file++) {
		assert_int_equal(unwind_tables_state(tables, file), TABLE_UNKNOWN);
		assert_int_equal(unwind_tables_want(tables, file, SYM_FILE_OF(text_fd)), 0);
		assert_int_equal(settle(), 1);
	}
	close_tables();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_of_many_lives),
		cmocka_unit_test(test_files_full),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_young_jitdump),
		cmocka_unit_test(test_queue_full),
	};

	return cmocka_run_group_tests_name("unwind_tables", tests, fixture_setup, fixture_teardown);
}
