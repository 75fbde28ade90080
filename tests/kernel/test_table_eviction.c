// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwind tables within their budget: which of them go, when their slots are free, and that they can be
 * had again. Needs root, cc and BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "profiler/unwind/unwind_tables.h"
#include "symbolizer/worker/table_worker.h"
#include "tests/lib/table_libs.h"

static struct table_worker *compiler;
static struct unwind_tables *tables;
static int map_fd;
/* Programs with small tables, numbered behind the libraries. */
enum { SMALL = LIBS, FILES = SMALL + 2 };

static bool mapped[FILES];
static uint8_t walked[UNWIND_TABLES_MAX];

static uint32_t users_of(void *ctx, uint32_t file)
{
	(void)ctx;
	return mapped[file];
}

/* The map that the walk has, without the walk. */
static int make_map(void)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, inner_opts,
			    .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, opts);
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, UNWIND_PAGE, 1, &inner_opts), fd;

	assert_true(inner >= 0);
	opts.inner_map_fd = (uint32_t)inner;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, UNWIND_TABLES_MAX, &opts);
	assert_true(fd >= 0);
	close(inner);
	return fd;
}

static void open_tables(struct unwind_tables_opts opts)
{
	struct table_worker_opts worker = {.sandbox = false};

	memset(mapped, 0, sizeof(mapped));
	memset(walked, 0, sizeof(walked));
	map_fd = opts.map_fd = make_map();
	assert_int_equal(table_worker_new(&compiler, &worker), 0);
	opts.compiler = compiler;
	opts.users = users_of;
	opts.walked = walked;
	assert_int_equal(unwind_tables_new(&tables, &opts), 0);
}

static void close_tables(void)
{
	unwind_tables_free(tables);
	table_worker_free(compiler);
	close(map_fd);
}

static struct unwind_tables_stats stats(void)
{
	struct unwind_tables_stats s;

	unwind_tables_stats(tables, &s);
	return s;
}

static int want(int i)
{
	int fd = fixture_open(i < SMALL ? lib(i) : "mapper");
	int err = unwind_tables_want(tables, (uint32_t)i, SYM_FILE_OF(fd));

	close(fd);
	return err;
}

/* Takes what is there, and says that nobody's mappings name any other. */
static void turn(void)
{
	uint32_t *changed;

	unwind_tables_poll(tables, &changed);
	unwind_tables_release(tables);
}

static bool is_loaded(int i)
{
	return unwind_tables_state(tables, (uint32_t)i) == TABLE_LOADED;
}

/* Until the table is there. */
static void load(int i)
{
	for (int t = 0; t < 2000 && !is_loaded(i); t++) {
		want(i); /* it may be queued already */
		usleep(1000);
		turn();
	}
	assert_true(is_loaded(i));
}

/* All segments begin with the headers, but for the executable one. */
static uint32_t slot_of(int i)
{
	uint64_t va_minus_off;
	uint32_t slot = UINT32_MAX;

	for (uint64_t off = 0; off < 1 << 20 && slot == UINT32_MAX; off += 4096)
		unwind_tables_get(tables, (uint32_t)i, off, &slot, &va_minus_off);
	assert_true(slot < UNWIND_TABLES_MAX);
	return slot;
}

static bool is_in_kernel(uint32_t slot)
{
	uint32_t id;

	return !bpf_map_lookup_elem(map_fd, &slot, &id);
}

/* Bytes of a file's table. */
static size_t bytes_of(int i)
{
	size_t bytes;

	open_tables((struct unwind_tables_opts){0});
	load(i);
	bytes = stats().bytes;
	close_tables();
	return bytes;
}

/* Bytes of the largest table of a library. */
static size_t table_bytes(void)
{
	size_t bytes = 0, before = 0;

	open_tables((struct unwind_tables_opts){0});
	for (int i = 0; i < LIBS; i++) {
		load(i);
		bytes = stats().bytes - before > bytes ? stats().bytes - before : bytes;
		before = stats().bytes;
	}
	close_tables();
	assert_true(bytes >= 2 * UNWIND_PAGE);
	return bytes;
}

/* Whatever comes, the kernel never has more than the budget, and everything can be had again. */
static void test_budget(void **state)
{
	size_t budget = 3 * table_bytes() + UNWIND_PAGE;

	(void)state;
	open_tables((struct unwind_tables_opts){.budget_bytes = budget, .hot_ns = 1});
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < LIBS; i++) {
			load(i);
			assert_non_null(unwind_tables_blob(tables, (uint32_t)i));
			assert_in_range(stats().bytes, 1, budget);
			assert_in_range(stats().loaded, 1, 3);
		}
	}
	assert_in_range(stats().evicted, 3 * LIBS - 3, 3 * LIBS);
	/* all at once */
	for (int i = 0; i < LIBS; i++)
		want(i);
	for (int t = 0; t < 200; t++) {
		usleep(1000);
		turn();
		assert_in_range(stats().bytes, 0, budget);
	}
	for (int i = 0; i < LIBS; i++)
		load(i);
	close_tables();
}

static void test_larger_than_the_budget(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.budget_bytes = UNWIND_PAGE});
	assert_int_equal(want(0), 0);
	assert_true(unwind_tables_settle(tables, 10000));
	turn();
	assert_int_equal(unwind_tables_state(tables, 0), TABLE_EVICTED);
	assert_int_equal(want(0), -ENOSPC);
	assert_int_equal(stats().no_room, 1);
	assert_int_equal(stats().bytes, 0);
	close_tables();
}

/* Fewer slots than tables. */
static void test_slots(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 3, .hot_ns = 1});
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < LIBS; i++) {
			load(i);
			assert_in_range(slot_of(i), 0, 2);
			assert_in_range(stats().loaded, 1, 3);
		}
	}
	assert_in_range(stats().evicted, 3 * LIBS - 3, 3 * LIBS);
	close_tables();
	/* all of them in use */
	open_tables((struct unwind_tables_opts){.max_tables = 3, .hot_ns = 3600000000000ull});
	for (int i = 0; i < 3; i++) {
		load(i);
		mapped[i] = true;
	}
	assert_int_equal(want(3), 0); /* how large it is nobody knows yet */
	assert_true(unwind_tables_settle(tables, 10000));
	turn();
	assert_int_equal(unwind_tables_state(tables, 3), TABLE_EVICTED);
	assert_int_equal(unwind_tables_error(tables, 3), 0);
	assert_int_equal(want(3), -ENOSPC);
	assert_int_equal(stats().no_room, 1);
	assert_int_equal(stats().loaded, 3);
	close_tables();
}

/* What nobody maps goes first, then what was not walked by for the longest time; what was set last says
 * nothing. */
static void test_which_go(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 4, .hot_ns = 1});
	for (int i = 0; i < 4; i++)
		load(i);
	mapped[0] = mapped[1] = mapped[2] = mapped[4] = mapped[5] = true;
	walked[slot_of(3)] = 1;
	usleep(150000);
	turn();
	load(4);
	assert_true(is_loaded(0) && is_loaded(1) && is_loaded(2) && !is_loaded(3));
	walked[slot_of(0)] = walked[slot_of(4)] = 1;
	usleep(150000);
	turn();
	assert_int_equal(walked[slot_of(0)], 0);
	unwind_tables_touch(tables, 1);
	usleep(2000);
	load(5);
	assert_true(is_loaded(0) && is_loaded(1) && is_loaded(4) && !is_loaded(2));
	close_tables();
}

/* While all are walked by, a new one has to wait; it is not compiled again and again meanwhile. */
static void test_all_in_use(void **state)
{
	uint64_t refused;

	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 2, .hot_ns = 2000000000});
	load(0);
	load(1);
	mapped[0] = mapped[1] = mapped[2] = true;
	for (int t = 0; t < 30; t++) {
		walked[slot_of(0)] = walked[slot_of(1)] = 1;
		want(2);
		usleep(10000);
		turn();
		assert_true(is_loaded(0) && is_loaded(1));
	}
	refused = stats().no_room;
	assert_in_range(refused, 1, 2);
	for (int t = 0; t < 600 && !is_loaded(2); t++) { /* nothing walks by library 1 any more */
		walked[slot_of(0)] = 1;
		want(2);
		usleep(10000);
		turn();
	}
	assert_true(is_loaded(0) && !is_loaded(1) && is_loaded(2));
	close_tables();
}

/* As long as mappings may name it, a slot keeps its table. */
static void test_slot_until_released(void **state)
{
	uint32_t *changed, old, fresh;
	size_t n;
	int t;

	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 1, .hot_ns = 1});
	load(0);
	old = slot_of(0);
	assert_int_equal(want(1), 0);
	assert_true(unwind_tables_settle(tables, 10000));
	n = unwind_tables_poll(tables, &changed);
	assert_int_equal(n, 2); /* one could not come, the other one went for it */
	assert_false(is_loaded(0));
	assert_null(unwind_tables_blob(tables, 0));
	assert_int_equal(want(1), 0);
	usleep(100000);
	unwind_tables_poll(tables, &changed);
	assert_false(is_loaded(1));
	assert_true(is_in_kernel(old));
	for (t = 0; t < 1000 && !is_loaded(1); t++) {
		unwind_tables_release(tables);
		usleep(1000);
		unwind_tables_poll(tables, &changed);
	}
	assert_true(is_loaded(1));
	fresh = slot_of(1);
	assert_int_equal(fresh, old);
	assert_true(is_in_kernel(fresh));
	close_tables();
}

/* Room is promised once: what is requested beside it has none. */
static void test_promised_room(void **state)
{
	size_t budget = bytes_of(0) + bytes_of(1);

	(void)state;
	assert_true(bytes_of(2) <= budget);
	open_tables((struct unwind_tables_opts){.budget_bytes = budget, .hot_ns = 1});
	for (int i = 0; i < 3; i++)
		load(i);
	usleep(2000);
	turn(); /* none was used since */
	for (int i = 0; i < 2; i++)
		assert_int_equal(want(i), 0);
	assert_int_equal(want(2), -ENOSPC);
	for (int i = 0; i < 2; i++)
		load(i);
	assert_false(is_loaded(2));
	close_tables();
}

/* A table whose size nobody knew takes the room that was promised to another one: it goes again. */
static void test_a_promise_is_kept(void **state)
{
	size_t small = bytes_of(SMALL), budget = bytes_of(0);
	uint32_t *changed;

	(void)state;
	assert_true(2 * small <= budget);
	open_tables((struct unwind_tables_opts){.budget_bytes = budget, .hot_ns = 1});
	load(0);
	load(SMALL);
	assert_false(is_loaded(0));
	usleep(2000);
	turn();
	assert_int_equal(want(0), 0);	      /* for which that one has to go: it waits */
	assert_int_equal(want(SMALL + 1), 0); /* has room beside that one at once */
	for (int t = 0; t < 2000 && unwind_tables_state(tables, SMALL + 1) == TABLE_QUEUED; t++) {
		usleep(1000);
		unwind_tables_poll(tables, &changed);
	}
	load(0);
	assert_false(is_loaded(SMALL + 1));
	close_tables();
}

/* Who was given a table since the last look may read it until the next one. */
static void test_borrowed_tables_stay(void **state)
{
	(void)state;
	open_tables((struct unwind_tables_opts){.max_tables = 2, .hot_ns = 1});
	for (int i = 0; i < 3; i++)
		load(i);
	assert_true(!is_loaded(0) && is_loaded(1) && is_loaded(2));
	usleep(2000);
	turn();
	for (int i = 1; i < 3; i++) {
		assert_non_null(unwind_tables_blob(tables, (uint32_t)i));
		unwind_tables_touch(tables, (uint32_t)i);
	}
	assert_int_equal(want(0), -ENOSPC);
	assert_true(is_loaded(1) && is_loaded(2));
	close_tables();
}

static bool is_known(void *ctx, uint32_t file)
{
	return file == *(const uint32_t *)ctx;
}

/* Files that are not known any more take their tables along. */
static void test_forgotten_files(void **state)
{
	uint32_t *changed, known = 1, slot;

	(void)state;
	open_tables((struct unwind_tables_opts){0});
	load(0);
	load(1);
	slot = slot_of(0);
	unwind_tables_forget(tables, is_known, &known);
	assert_int_equal(unwind_tables_state(tables, 0), TABLE_UNKNOWN);
	assert_true(is_loaded(1));
	assert_int_equal(stats().loaded, 1);
	assert_int_equal(unwind_tables_poll(tables, &changed), 1);
	assert_int_equal(changed[0], 0);
	for (int t = 0; t < 2000 && is_in_kernel(slot); t++) {
		unwind_tables_release(tables);
		usleep(1000);
	}
	assert_false(is_in_kernel(slot));
	assert_true(is_in_kernel(slot_of(1)));
	close_tables();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promised_room),
		cmocka_unit_test(test_a_promise_is_kept),
		cmocka_unit_test(test_borrowed_tables_stay),
		cmocka_unit_test(test_forgotten_files),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_larger_than_the_budget),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_which_go),
		cmocka_unit_test(test_all_in_use),
		cmocka_unit_test(test_slot_until_released),
	};

	return cmocka_run_group_tests_name("table_eviction", tests, libs_setup, fixture_teardown);
}
