// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/profile/thread_names.h"
#include "tests/lib/profiles.h"

static void add(struct profile *p, const char *comm, int64_t samples)
{
	struct profile_label label = {.key = str_id(p, LABEL_COMM), .str = str_id(p, comm)};
	uint32_t set, stack;

	MUST(profile_labelset(p, &label, *comm ? 1 : 0, &set));
	MUST(profile_stack(p, NULL, 0, &stack));
	MUST(profile_add(p, stack, set, (int64_t[]){samples, samples * 10}));
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(profile_init_cpu(p, 10));
	return p;
}

static void threads_of_a_kind_are_one(void **state)
{
	static const struct {
		const char *name;
		int64_t value;
	} wanted[] = {{"GC Thread", 70},     {"java", 60}, {"2001", 50},
		      {"pool-1-thread", 30}, {"#", 20},	   {"C2 CompilerThre", 10}};
	struct profile *p = new_profile();
	struct thread_names t;

	(void)state;
	add(p, "java", 6);
	add(p, "GC Thread#0", 3);
	add(p, "GC Thread#11", 4);
	add(p, "pool-1-thread-1", 1);
	add(p, "pool-1-thread-2", 2);
	add(p, "C2 CompilerThre", 1);
	add(p, "2001", 5);
	add(p, "#", 2);
	add(p, "", 100);
	MUST(thread_names_build(&t, p, 1));
	assert_int_equal(t.rows.len, sizeof(wanted) / sizeof(*wanted));
	for (size_t i = 0; i < t.rows.len; i++) {
		assert_string_equal(t.rows.data[i].name, wanted[i].name);
		assert_int_equal(t.rows.data[i].value, wanted[i].value);
	}
	thread_names_release(&t);
	profile_free(p);
}

static void nothing_is_nobodys(void **state)
{
	struct profile *p = new_profile();
	struct thread_names t;

	(void)state;
	MUST(thread_names_build(&t, p, 0));
	assert_int_equal(t.rows.len, 0);
	thread_names_release(&t);
	add(p, "idle", 0);
	MUST(thread_names_build(&t, p, 0));
	assert_int_equal(t.rows.len, 0);
	thread_names_release(&t);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_of_a_kind_are_one),
		cmocka_unit_test(nothing_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
