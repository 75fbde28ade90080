// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows and frames of which a hash does not tell which is which. */
#include "tests/lib/proc_table.h"

#include "profiler/procs/ksyms.h"
#include "tests/lib/aggregates.h"
#include "tests/lib/windows.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define PID  100
#define TEXT 0x400000

static struct aggregate agg;
static struct procs *procs;
static struct ksyms *ksyms;

static int setup(void **state)
{
	(void)state;
	agg = (struct aggregate){0};
	procs = new_table(NULL);
	map(procs, 1 * SEC, PID, TEXT, 0x1000, 0x1000, 1);
	return ksyms_new(&ksyms);
}

static int teardown(void **state)
{
	(void)state;
	aggregate_clear(&agg);
	procs_free(procs);
	ksyms_free(ksyms);
	return 0;
}

/* Takes the window. */
static void take(struct window *w)
{
	aggregate_window(&agg, w, procs, ksyms);
	window_free(w);
}

#define MANY (1 << 17)

/* Tables know 32 bits of a hash. Among so many rows two have the same ones, and stay two. */
TEST(test_rows_with_the_same_hash)
{
	struct window *w = new_window();
	uint64_t stack = user_stack(w, UNWIND_END_ROOT, TEXT);

	for (uint32_t i = 1; i <= MANY; i++) {
		add_row(w, 2 * SEC, 1,
			(struct kiln_count_key){.tgid = PID, .tid = i, user_only(stack)});
		add_row(w, 2 * SEC, 1,
			(struct kiln_count_key){
				.tgid = PID, .tid = 1, .cgroup_id = i, user_only(stack)});
	}
	take(w);
	assert_int_equal(agg.samples.len, 2 * MANY);
	assert_int_equal(agg.recorded, 2 * MANY);
}

/* ... and so with frames of generated code: as of its time, or as of its perf map. */
TEST(test_frames_with_the_same_hash)
{
	struct window *w = new_window();
	uint64_t stack = user_stack(w, UNWIND_ON, 0x9010);

	map(procs, 1 * SEC, PID, 0x9000, 0x1000, 0, FILE_NONE);
	map(procs, 1 * SEC, 2 * PID, 0x9000, 0x1000, 0, FILE_NONE);
	procs_jitdump(procs, 1 * SEC, PID, 77, 0);
	w->end_ns = 50 * SEC;
	for (uint32_t i = 1; i <= MANY; i++) {
		add_row(w, 2 * SEC + i, 1,
			(struct kiln_count_key){.tgid = PID, .image = i, user_only(stack)});
		add_row(w, 2 * SEC, 1,
			(struct kiln_count_key){.tgid = 2 * PID, .image = i, user_only(stack)});
		vec_last(&w->rows).value.written = i;
	}
	take(w);
	assert_int_equal(agg.frames.len, 2 * MANY);
	assert_int_equal(agg.samples.len, 2 * MANY);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rows_with_the_same_hash),
		T(test_frames_with_the_same_hash),
	};

	return cmocka_run_group_tests_name("aggregate_hash", tests, NULL, NULL);
}
