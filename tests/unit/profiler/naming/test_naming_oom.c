// SPDX-License-Identifier: GPL-2.0-or-later
/* Every allocation of naming fails once: what was sampled is in the profile, with the names that there was memory
 * for, or counted as lost. */
#include "tests/lib/named_files.h"

#include <errno.h>
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

#include "profiler/base/log.h"
#include "profiler/profile/quality.h"
#include "tests/lib/aggregates.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct named_files nf;
static struct aggregate agg;

static void sample(uint64_t count, const struct agg_frame *frames, uint32_t n)
{
	agg_count(&agg, agg_stack_of(&agg, UNWIND_END_ROOT, 0, frames, n), 100, "comm", count);
}

static int begin(void **state)
{
	uint32_t file;

	(void)state;
	log_set_level(LOG_QUIET);
	named_open(&nf, NULL, false);
	agg = (struct aggregate){0};
	file = named_file(&nf, "prog");
	sample(1, AGG_FRAMES({AT_FILE, file, file_off_of_symbol("prog", "main")}));
	sample(10, AGG_FRAMES({AT_FILE, file, inlined_off("prog")},
			      {AT_FILE, file, file_off_of_symbol("prog", "main")}));
	sample(100, AGG_FRAMES({AT_UNMAPPED, UINT32_MAX, 0}));
	sample(1000, AGG_FRAMES({AT_FILE, named_file(&nf, "stripped"), 0x1000}));
	return 0;
}

static int end(void **state)
{
	(void)state;
	aggregate_clear(&agg);
	named_close(&nf);
	return 0;
}

/* Every sample is whole, and what is missing is counted. */
static void assert_sound(const struct profile *p, const struct quality *q, int err)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->samples.len; i++) {
		sum += (uint64_t)p->values.data[p->samples.data[i].first_value];
		assert_true(*stack_text(p, i));
	}
	assert_true(!err || (err == -ENOMEM && !sum));
	if (!err)
		assert_int_equal(sum + q->lost[LOSS_memory], agg.recorded);
	assert_true(q->user_complete + q->user_truncated <= sum);
	assert_true(q->frames_named + q->frames_fde + q->frames_short <= q->frames);
}

/* Names everything, with a naming and a symbolizer that know nothing yet. */
static bool name_failing(long at, struct quality *seen)
{
	struct naming_opts opts = named_opts(&nf);
	struct profile *p = profile_new();
	struct quality q = {0};
	struct naming *n;
	bool failed;
	int err;

	opts.packages_root = fixture_at("no_packages");
	assert_int_equal(naming_new(&n, &opts), 0);
	assert_int_equal(profile_init_cpu(p, 1000), 0);
	symbolizer_forget(nf.symbolizer);
	allocs_begin(at);
	err = naming_run(n, &agg, p, &q);
	failed = allocs_end();
	assert_sound(p, &q, err);
	quality_add(seen, &q);
	quality_release(&q);
	profile_free(p);
	naming_free(n);
	return failed;
}

TEST(test_every_allocation_may_fail)
{
	struct quality seen = {0}, whole = {0};
	long n = 0;

	while (name_failing(n, &seen))
		n++;
	assert_true(n > 40);
	assert_true(seen.frames_short > 0);
	assert_true(seen.lost[LOSS_memory] > 0);
	assert_false(name_failing(-1, &whole));
	assert_int_equal(whole.frames_short + whole.lost[LOSS_memory], 0);
}

/* Without memory for names of the kernel, its samples are there. */
TEST(test_kernel_frames_without_memory)
{
	struct quality seen = {0};

	sample(10000, AGG_FRAMES({AT_KERNEL, UINT32_MAX, 0xffffffff81000123}));
	for (long n = 0; n < 12; n++)
		assert_true(name_failing(n, &seen));
	assert_true(seen.frames_short >= 10000);
}

int main(void)
{
#define T(name)	   cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_every_allocation_may_fail),
		T(test_kernel_frames_without_memory),
	};

	return cmocka_run_group_tests_name("naming_oom", tests, named_files_setup,
					   fixture_teardown);
}

#endif
