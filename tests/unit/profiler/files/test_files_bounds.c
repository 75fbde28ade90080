// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of files, full: what is refused, what leaves, and ids that do not come back. Needs cc. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/procs/procs.h"
#include "tests/lib/files_table.h"

static void test_table_full(void **state)
{
	struct files *f = new_table(0, 2);
	uint32_t a = intern(f, id_key(full("elf0"), 0)), b = intern(f, id_key(full("elf1"), 1));

	(void)state;
	assert_true(intern(f, id_key(full("elf2"), 2)) == FILE_NONE);
	assert_true(intern(f, id_key(full("elf3"), 3)) == FILE_NONE);
	assert_int_equal(intern(f, id_key(full("elf0"), 0)), a);
	assert_int_equal(intern(f, id_key(full("elf1"), 1)), b);
	assert_int_equal(stats_of(f).table_full, 2);
	assert_int_equal(stats_of(f).files, 2);
	files_free(f);
}

/* Long paths fill their room before there are many files; what is forgotten gives it back. */
static void test_paths_full(void **state)
{
	struct files_opts opts = {.max_path_bytes = 100000, .keep_ns = 1};
	struct files *f;
	char path[2001] = "/";
	uint32_t none = 0, ids[100], n = 0;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	memset(path + 1, 'x', sizeof(path) - 2);
	for (uint8_t i = 0; i < 100; i++) {
		ids[i] = intern(f, id_key(path, i));
		n += ids[i] != FILE_NONE;
	}
	assert_in_range(n, 40, 50);
	assert_int_equal(stats_of(f).files, n);
	assert_int_equal(stats_of(f).table_full, 100 - n);
	assert_in_range(stats_of(f).path_bytes, n * sizeof(path), opts.max_path_bytes);
	assert_int_equal(intern(f, id_key(path, 0)), ids[0]); /* known ones stay so */
	assert_true(files_crowded(f));
	files_sweep(f, is_below, &none);
	assert_int_equal(stats_of(f).path_bytes, 0);
	assert_int_equal(view(f, intern(f, id_key(full("elf1"), 1))).err, 0);
	files_free(f);
}

/* More are seen at once than can wait to be opened: they are opened when they are seen again. */
static void test_queue_full(void **state)
{
	enum { N = 5000 };
	struct files_opts opts = {.max_queue = 2};
	struct file_key key = {.path = full("elf1"), .build_id = {.len = 4}};
	struct files *f;
	uint64_t dropped;
	int n_waiting = N;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	for (uint32_t i = 0; i < N; i++) {
		memcpy(key.build_id.data, &i, sizeof(i));
		files_intern(f, &key, getpid(), 0, 0, 0);
	}
	dropped = stats_of(f).queue_dropped;
	assert_in_range(dropped, 1, N - 1);
	for (int turn = 0; turn < N && n_waiting; turn++) {
		n_waiting = 0;
		for (uint32_t i = 0; i < N; i++) {
			memcpy(key.build_id.data, &i, sizeof(i));
			n_waiting += view(f, intern(f, key)).err == -EAGAIN;
		}
	}
	assert_int_equal(n_waiting, 0);
	assert_int_equal(stats_of(f).files, N);
	files_free(f);
}

/* What nobody maps makes room; an old id is never taken for the file that came after it. */
static void test_sweep(void **state)
{
	struct files_opts opts = {.max_files = 4, .keep_ns = 1};
	struct files *f;
	uint32_t id[4], two = 2, fresh[3];
	struct file_view v;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	for (int i = 0; i < 2; i++)
		id[i] = intern(f, id_key("/nowhere", (uint8_t)(100 + i)));
	assert_false(files_crowded(f));
	id[2] = intern(f, id_key(full("elf2"), 2));
	assert_true(files_crowded(f));
	id[3] = intern(f, id_key(full("elf3"), 3));
	files_get(f, id[3], &v);
	assert_int_equal(v.err, 0);
	files_sweep(f, is_below, &two);
	assert_false(files_crowded(f));		/* has just been swept */
	assert_int_equal(stats_of(f).files, 3); /* two mapped, one borrowed */
	assert_int_equal(stats_of(f).open, 1);
	assert_int_equal(view(f, id[2]).err, -ENOENT);
	assert_string_equal(view(f, id[2]).path, "");
	assert_true(fcntl(v.fd, F_GETFD) >= 0);
	files_release_fd(f, id[3]);
	files_sweep(f, is_below, &two);
	assert_int_equal(stats_of(f).files, 2);
	assert_int_equal(stats_of(f).open_failed, 2);
	for (int i = 0; i < 2; i++) {
		fresh[i] = intern(f, id_key(full("elf3"), (uint8_t)(3 - i)));
		assert_int_not_equal(fresh[i], id[2]);
		assert_int_not_equal(fresh[i], id[3]);
	}
	assert_true(intern(f, id_key("/more", 110)) == FILE_NONE); /* full again */
	assert_int_equal(view(f, fresh[0]).err, 0);
	assert_int_equal(view(f, id[3]).err, -ENOENT);
	two = 0;
	files_sweep(f, is_below, &two);
	assert_int_equal(stats_of(f).files, 0);
	assert_int_equal(stats_of(f).open, 0);
	assert_int_equal(stats_of(f).open_failed, 0);
	files_free(f);
}

/* A slot has many lives, and an id comes back after all of them only. */
static void test_lives(void **state)
{
	enum { LIVES = 32768 };
	struct files_opts opts = {.max_files = 2, .keep_ns = 1};
	uint32_t none = 0, first[2], id;
	struct files *f;

	(void)state;
	assert_int_equal(files_new(&f, &opts), 0);
	assert_int_equal(files_sweeps(f), 0);
	for (int i = 0; i < 2; i++)
		first[i] = intern(f, id_key(full("elf1"), (uint8_t)i));
	files_sweep(f, is_below, &none);
	for (int i = 2; i < 2 * LIVES; i++) {
		uint32_t slot = first[i % 2] & 1; /* they are used in turn */

		id = intern(f, id_key(full("elf1"), (uint8_t)i));
		assert_true(id < FILE_VDSO && (id & 1) == slot && id != first[i % 2]);
		assert_true(files_knows(f, id) && !files_knows(f, first[i % 2]));
		files_sweep(f, is_below, &none);
	}
	assert_int_equal(files_sweeps(f), 2 * LIVES - 1);
	assert_int_equal(intern(f, id_key(full("elf1"), 1)), first[0]);
	files_free(f);
}

static void map(struct procs *p, uint64_t t_ns, pid_t tgid, uint64_t start, uint32_t file)
{
	struct proc_mapping m = {start, 0x1000, 0, file, 0};

	procs_mmap(p, t_ns, tgid, &m);
}

/* The process table keeps the files of the living, of the dead that linger, and replaced ones. */
static void test_process_table_sweeps(void **state)
{
	struct files_opts opts = {.max_files = 4, .keep_ns = 1};
	struct procs_opts procs_opts = {.linger_ns = 1000};
	struct procs *p;
	uint32_t id[4];

	(void)state;
	assert_int_equal(files_new(&procs_opts.files, &opts), 0);
	assert_int_equal(procs_new(&p, &procs_opts), 0);
	for (int i = 0; i < 4; i++)
		id[i] = intern(procs_opts.files, id_key("/nowhere", (uint8_t)(100 + i)));
	map(p, 10, 9, 0x1000, id[3]);
	procs_exit(p, 11, 9, 9);
	map(p, 5000, 7, 0x1000, id[0]);
	map(p, 5001, 7, 0x1000, id[1]);
	map(p, 5000, 8, 0x1000, id[2]);
	procs_exit(p, 5002, 8, 8);
	procs_expire(p, 5500);
	for (int i = 0; i < 4; i++)
		assert_string_equal(view(procs_opts.files, id[i]).path, i < 3 ? "/nowhere" : "");
	procs_free(p);
	files_free(procs_opts.files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_full), cmocka_unit_test(test_paths_full),
		cmocka_unit_test(test_queue_full), cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_lives),	   cmocka_unit_test(test_process_table_sweeps),
	};

	return cmocka_run_group_tests_name("files_bounds", tests, files_setup, fixture_teardown);
}
