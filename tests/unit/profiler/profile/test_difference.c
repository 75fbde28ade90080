// SPDX-License-Identifier: GPL-2.0-or-later
/* What changed from one profile to another, and what shares of it are of. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/profile/difference.h"
#include "profiler/profile/table.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct profile *new_cpu(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 1000), 0);
	return p;
}

/* A stack main > name. */
static void add(struct profile *p, const char *name, int64_t count, int64_t ns)
{
	uint32_t mapping = mapping_id(p, "/bin/x", "", true), stack, labels;
	uint32_t frames[] = {location_id(p, mapping, 0x2000 + (uint64_t)name[0], name),
			     location_id(p, mapping, 0x1800, "main")};

	MUST(profile_stack(p, frames, 2, &stack));
	MUST(profile_labelset(p, NULL, 0, &labels));
	MUST(profile_add(p, stack, labels, (int64_t[]){count, ns}));
}

static void take(struct profile *p, const struct profile *base, bool normalize)
{
	const char *why;

	assert_int_equal(profile_subtract(p, base, normalize, &why), 0);
}

TEST(test_what_changed)
{
	struct profile *now = new_cpu(), *base = new_cpu();
	struct difference d;
	int64_t total;

	add(now, "a", 10, 100);
	add(now, "b", 4, 40);
	add(now, "n", 1, 10);
	add(base, "a", 30, 300);
	add(base, "b", 4, 40);
	now->time_ns = 5000;
	now->duration_ns = 70;
	base->time_ns = 1000;
	base->duration_ns = 300;
	assert_false(profile_is_difference(now, 1));
	assert_false(profile_base_total(now, 1, &total));
	take(now, base, false);
	assert_true(profile_is_difference(now, 1));
	assert_int_equal(now->time_ns, 5000);
	assert_int_equal(now->duration_ns, 70);
	assert_int_equal(profile_total(now, 1), -190);
	assert_int_equal(profile_gross(now, 1), 340); /* the base's */
	assert_int_equal(profile_samples(now), 34);
	assert_int_equal(difference_of(&d, now, 1), 0);
	assert_true(d.has_base);
	assert_int_equal(d.base, 340);
	assert_int_equal(d.net, -190);
	assert_int_equal(d.grew, 10);
	assert_int_equal(d.n_grew, 1);
	assert_int_equal(d.less, -200);
	assert_int_equal(d.n_less, 1); /* what is the same is neither */
	profile_free(now);
	profile_free(base);
}

/* Of counts of Poisson's distribution: 100 and 127 differ by 1.79 standard deviations, 100 and 130 by 1.98. */
TEST(test_what_chance_explains)
{
	static const struct {
		int64_t base, now;
		size_t n_chance;
	} cases[] = {{100, 127, 1}, {100, 130, 0}, {130, 100, 0}, {127, 100, 1},
		     {0, 3, 1},	    {0, 4, 0},	   {4, 0, 0},	  {100, 100, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile *now = new_cpu(), *base = new_cpu();
		struct difference d;

		add(now, "a", cases[i].now, 10 * cases[i].now);
		add(now, "same", 5000, 50000);
		add(base, "a", cases[i].base, 10 * cases[i].base);
		add(base, "same", 5000, 50000);
		take(now, base, false);
		for (size_t value = 0; value < 2; value++) {
			assert_int_equal(difference_of(&d, now, value), 0);
			assert_int_equal(d.n_chance, cases[i].n_chance);
		}
		profile_free(now);
		profile_free(base);
	}
}

/* Nothing is left of a profile less itself, in any value. */
TEST(test_less_itself)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *p = random_profile(seed, 50), *same = random_profile(seed, 50);
		int64_t base;

		for (size_t i = 0; i < p->sample_types.len; i++) {
			struct difference d;

			if (!i)
				take(p, same, seed % 2);
			assert_int_equal(difference_of(&d, p, i), 0);
			assert_int_equal(d.n_grew + d.n_less, 0);
			assert_int_equal(d.net, 0);
			assert_true(profile_base_total(p, i, &base));
			assert_int_equal(base, profile_gross(same, i));
		}
		profile_free(p);
		profile_free(same);
	}
}

/* Twice as long, but the same mix; and one value of which the base has none. */
TEST(test_normalized)
{
	struct profile *now = new_cpu(), *base = new_cpu();
	struct difference d;

	add(now, "a", 10, 100);
	add(now, "b", 5, 50);
	add(base, "a", 0, 202);
	add(base, "b", 0, 98);
	take(now, base, true);
	assert_int_equal(difference_of(&d, now, 1), 0);
	assert_int_equal(d.net, 0);
	assert_int_equal(d.base, 150);
	assert_int_equal(d.n_grew + d.n_less, 2);
	assert_int_equal(d.grew, 1);
	assert_int_equal(d.less, -1);
	assert_int_equal(profile_total(now, 0), 15);
	profile_free(now);
	profile_free(base);
}

TEST(test_values_at_the_limits)
{
	struct profile *now = new_cpu(), *base = new_cpu();
	int64_t total;

	add(now, "a", 1, INT64_MAX);
	add(base, "a", -1, INT64_MIN);
	add(base, "b", 1, INT64_MAX);
	take(now, base, false);
	assert_true(profile_base_total(now, 1, &total));
	assert_int_equal(total, INT64_MAX);
	assert_int_equal(profile_gross(now, 1), INT64_MAX);
	profile_free(now);
	now = new_cpu();
	add(now, "a", 1, INT64_MAX);
	add(now, "b", 1, INT64_MAX);
	take(now, base, true);
	profile_free(now);
	profile_free(base);
}

/* Whoever made the difference has not marked the base: gains and losses together are the whole, as in pprof. */
TEST(test_a_base_without_marks)
{
	struct profile *p = new_cpu();
	struct difference d;

	add(p, "a", 3, 30);
	add(p, "b", -7, -70);
	assert_int_equal(profile_gross(p, 1), 100);
	assert_int_equal(difference_of(&d, p, 1), 0);
	assert_false(d.has_base);
	assert_int_equal(d.grew, 30);
	assert_int_equal(d.less, -70);
	profile_free(p);
}

TEST(test_other_types)
{
	struct profile *now = new_cpu(), *base = profile_new();
	const char *why = NULL;

	add(now, "a", 10, 100);
	assert_int_equal(profile_add_sample_type(base, "alloc_space", "bytes"), 0);
	assert_int_equal(profile_subtract(now, base, true, &why), -EINVAL);
	assert_string_equal(why, "the profiles have different sample types");
	assert_int_equal(profile_total(now, 1), 100);
	profile_free(now);
	profile_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changed),
		cmocka_unit_test(test_what_chance_explains),
		cmocka_unit_test(test_less_itself),
		cmocka_unit_test(test_normalized),
		cmocka_unit_test(test_values_at_the_limits),
		cmocka_unit_test(test_a_base_without_marks),
		cmocka_unit_test(test_other_types),
	};

	return cmocka_run_group_tests_name("difference", tests, NULL, NULL);
}
