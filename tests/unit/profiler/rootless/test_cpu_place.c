// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a thread runs: on one CPU, and as before. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/rootless/cpu_place.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static cpu_set_t now_allowed(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return set;
}

static int first_of(const cpu_set_t *set)
{
	int cpu = 0;

	while (!CPU_ISSET(cpu, set))
		cpu++;
	return cpu;
}

static void assert_allowed(const cpu_set_t *want)
{
	cpu_set_t now = now_allowed();

	assert_true(CPU_EQUAL(&now, want));
}

TEST(test_there_and_away)
{
	cpu_set_t all = now_allowed(), one;
	int cpu = first_of(&all);
	struct cpu_place p;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	cpu_place_init(&p);
	assert_true(cpu_place_go(&p, cpu));
	assert_allowed(&one);
	assert_int_equal(sched_getcpu(), cpu);
	assert_false(cpu_place_go(&p, -1));
	assert_allowed(&all);
}

TEST(test_where_it_may_not_run)
{
	cpu_set_t all = now_allowed(), one;
	int cpu = first_of(&all);
	struct cpu_place p;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	cpu_place_init(&p);
	assert_false(cpu_place_go(&p, cpu + 1));
	assert_allowed(&one);
	assert_false(cpu_place_go(&p, CPU_SETSIZE));
	assert_allowed(&one);
	assert_true(cpu_place_go(&p, cpu));
	assert_allowed(&one);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_away),
		cmocka_unit_test(test_where_it_may_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
