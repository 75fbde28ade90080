// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every allocation of taking a window fails once: its row is counted as lost, what is there stays right,
 * and the next window finds everything in order. And the bytes that an aggregate says it holds are those
 * it has.
 */
#include "tests/lib/proc_table.h"

#include <stdio.h>

#include "tests/lib/fail_alloc.h"

#if !FAIL_ALLOC

int main(void)
{
	puts("1..1\n"
	     "ok 1 - every_allocation_may_fail # SKIP the sanitizer's malloc cannot be replaced");
	return 0;
}

#else

#include "profiler/procs/ksyms.h"
#include "tests/lib/aggregates.h"
#include "tests/lib/windows.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define N_ROWS 40

static struct procs *procs;
static struct ksyms *ksyms;
static struct window *w;

/* Programs with files and with code of their own, each with stacks, threads and a cgroup of its own: all
 * tables grow, and more than once. */
static int setup(void **state)
{
	(void)state;
	procs = new_table(NULL);
	w = new_window();
	for (uint32_t i = 0; i < N_ROWS; i++) {
		pid_t tgid = 100 + (pid_t)i;
		uint64_t user;

		map(procs, 1 * SEC, tgid, 0x1000, 0x1000, 0, i);
		map(procs, 1 * SEC, tgid, 0x3000, 0x1000, 0, FILE_NONE);
		user = user_stack(w, UNWIND_END_ROOT, 0x1000, 0x1001 + i, 0x3001 + i, 0x1001);
		add_row(w, 2 * SEC, 1000 + i,
			(struct kiln_count_key){.tgid = (uint32_t)tgid,
						.cgroup_id = i,
						.user_stack = user,
						.kernel_stack = kernel_stack(w, 0xffff0000 + i)});
	}
	return ksyms_new(&ksyms);
}

static int teardown(void **state)
{
	(void)state;
	procs_free(procs);
	ksyms_free(ksyms);
	window_free(w);
	return 0;
}

/* Each thing once, however far its row came. */
static void assert_no_doubles(const struct aggregate *a)
{
	for (size_t i = 0; i < a->images.len; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(a->images.data[i].image_id,
					     a->images.data[k].image_id);
	for (size_t i = 0; i < a->cgroups.len; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(a->cgroups.data[i], a->cgroups.data[k]);
	for (size_t i = 0; i < a->exes.len; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(a->exes.data[i].file, a->exes.data[k].file);
}

/* Every row is there, `most` times at most, or counted as lost. */
static void assert_sound(const struct aggregate *a, uint64_t most)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < a->samples.len; i++) {
		const struct agg_sample *s = &a->samples.data[i];
		uint64_t count = 1000 + s->tgid - 100;

		assert_true(s->count == count || s->count == most * count);
		sum += s->count;
	}
	assert_int_equal(a->recorded, sum);
	assert_int_equal(a->recorded + a->lost_memory, most * w->samples);
	assert_no_doubles(a);
}

TEST(test_every_allocation_may_fail)
{
	bool failed = true;
	long n;

	for (n = 0; failed; n++) {
		struct aggregate a = {0};

		allocs_begin(n);
		aggregate_window(&a, w, procs, ksyms);
		failed = allocs_end();
		assert_sound(&a, 1);
		/* what is no row of its own may fail without a loss: the busiest program is a guess then */
		assert_true(a.lost_memory < 3000);
		aggregate_window(&a, w, procs, ksyms);
		assert_sound(&a, 2);
		/* without memory for its program, code made by it is another frame */
		assert_in_range(a.samples.len, N_ROWS, N_ROWS + 1);
		assert_int_equal(a.images.len, N_ROWS);
		assert_int_equal(a.exes.len, N_ROWS);
		assert_int_equal(a.cgroups.len, N_ROWS);
		aggregate_clear(&a);
	}
	assert_true(n > 30);
}

/* What there is no memory for stays where it is. */
TEST(test_holding_back_may_fail)
{
	static bool waits[N_ROWS];
	bool failed = true;
	long n;

	memset(waits, true, sizeof(waits));
	for (n = 0; failed; n++) {
		struct aggregate a = {0}, next = {0};
		uint64_t sums[2] = {0};

		aggregate_window(&a, w, procs, ksyms);
		allocs_begin(n);
		aggregate_hold_back(&next, &a, waits);
		failed = allocs_end();
		for (size_t i = 0; i < a.samples.len; i++)
			sums[0] += a.samples.data[i].count;
		for (size_t i = 0; i < next.samples.len; i++)
			sums[1] += next.samples.data[i].count;
		assert_int_equal(a.recorded, sums[0]);
		assert_int_equal(next.recorded, sums[1]);
		assert_int_equal(a.recorded + next.recorded, w->samples);
		assert_true(a.recorded < 3000 && (failed || !a.recorded));
		assert_no_doubles(&next);
		aggregate_clear(&a);
		aggregate_clear(&next);
	}
	assert_true(n > 20);
}

TEST(test_bytes_are_those_that_are_held)
{
	struct aggregate a = {0};
	size_t bytes;

	allocs_begin(-1);
	for (int i = 0; i < 3; i++) {
		aggregate_window(&a, w, procs, ksyms);
		bytes = aggregate_bytes(&a);
		/* malloc(3) rounds up, large blocks to pages */
		assert_in_range(allocs.bytes, bytes, bytes + (size_t)allocs.blocks * 24);
	}
	aggregate_clear(&a);
	allocs_end();
	assert_int_equal(allocs.blocks, 0);
	assert_int_equal(allocs.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_may_fail),
		cmocka_unit_test(test_holding_back_may_fail),
		cmocka_unit_test(test_bytes_are_those_that_are_held),
	};

	return cmocka_run_group_tests_name("aggregate_oom", tests, setup, teardown);
}

#endif
