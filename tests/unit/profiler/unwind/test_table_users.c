// SPDX-License-Identifier: GPL-2.0-or-later
/* Which processes map the files of which tables: against a model, and the bound. */
#include "profiler/unwind/table_users.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/hash.h"

#define PROCESSES 40
#define FILES	  60

static bool maps[PROCESSES][FILES];
static unsigned n_told[PROCESSES];

static void on_told(void *ctx, pid_t tgid)
{
	assert_ptr_equal(ctx, n_told);
	assert_in_range(tgid, 100, 100 + PROCESSES - 1);
	n_told[tgid - 100]++;
}

static void check(const struct table_users *u, uint64_t seed)
{
	uint32_t wanted[5], n_users = 0;
	struct table_users_stats s;

	for (uint32_t f = 0; f < FILES; f++) {
		uint32_t n = 0;

		for (int p = 0; p < PROCESSES; p++)
			n += maps[p][f];
		assert_int_equal(table_users_count(u, f), n);
	}
	for (int i = 0; i < 5; i++)
		wanted[i] = (uint32_t)(hash_u64(seed + i) % FILES); /* also the same one twice */
	memset(n_told, 0, sizeof(n_told));
	table_users_each(u, wanted, 5, on_told, n_told);
	for (int p = 0; p < PROCESSES; p++) {
		unsigned any = 0;

		for (int i = 0; i < 5; i++)
			any |= maps[p][wanted[i]];
		assert_int_equal(n_told[p], any);
		for (int f = 0; f < FILES; f++) {
			n_users += maps[p][f];
			if (maps[p][f])
				break;
		}
	}
	table_users_stats(u, &s);
	assert_in_range(s.processes, n_users ? 1 : 0, PROCESSES);
	memset(n_told, 0, sizeof(n_told));
	table_users_each(u, wanted, 0, on_told, n_told);
	for (int p = 0; p < PROCESSES; p++)
		assert_int_equal(n_told[p], 0);
}

static void test_against_a_model(void **state)
{
	struct table_users *u;
	uint64_t seed = 11;

	(void)state;
	assert_int_equal(table_users_new(&u, 0), 0);
	for (int turn = 0; turn < 3000; turn++) {
		uint32_t files[20];
		uint32_t p = (uint32_t)((seed = hash_u64(seed + 1)) % PROCESSES);
		size_t n = (size_t)(seed >> 16) % 20;

		memset(maps[p], 0, sizeof(maps[p]));
		if (seed >> 60 < 4) {
			table_users_remove(u, (pid_t)(100 + p));
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			files[i] = (uint32_t)(hash_u64(seed + i) % FILES);
			maps[p][files[i]] = true;
		}
		assert_int_equal(table_users_set(u, (pid_t)(100 + p), files, n), 0);
		check(u, seed);
	}
	for (int p = 0; p < PROCESSES; p++)
		table_users_remove(u, 100 + p);
	for (uint32_t f = 0; f < FILES; f++)
		assert_int_equal(table_users_count(u, f), 0);
	table_users_free(u);
}

static void test_bound(void **state)
{
	enum { MAX = 100000 };
	struct table_users_stats s;
	struct table_users *u;
	uint32_t files[50];
	pid_t tgid;
	int err = 0;

	(void)state;
	assert_int_equal(table_users_new(&u, MAX), 0);
	for (tgid = 1; !err; tgid++) {
		for (uint32_t i = 0; i < 50; i++)
			files[i] = i;
		err = table_users_set(u, tgid, files, 50);
	}
	assert_int_equal(err, -ENOSPC);
	table_users_stats(u, &s);
	assert_int_equal(s.refused, 1);
	assert_int_equal(s.processes, tgid - 2); /* not the one that was refused */
	assert_int_equal(table_users_count(u, 7), tgid - 2);
	assert_in_range(s.bytes, MAX / 2, MAX);
	/* one that is known and maps more now is not known any more */
	for (uint32_t i = 0; i < 50; i++)
		files[i] = 1000 + i;
	while (!(err = table_users_set(u, tgid, files, 1)))
		tgid++;
	for (uint32_t i = 0; i < 50; i++)
		files[i] = 1000 + i;
	assert_int_equal(table_users_set(u, tgid - 1, files, 50), -ENOSPC);
	table_users_remove(u, 1);
	assert_int_equal(table_users_count(u, 7), s.processes - 1);
	files[0] = 7;
	assert_int_equal(table_users_set(u, 5000, files, 1), 0);
	assert_int_equal(table_users_count(u, 7), s.processes);
	table_users_free(u);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests_name("table_users", tests, NULL, NULL);
}
