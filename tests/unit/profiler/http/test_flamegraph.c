// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/http/flamegraph.h"
#include "profiler/profile/table.h"
#include "tests/lib/profiles.h"

/* Boxes lie inside of their parents, side by side, and selfs add up to the total. */
static void assert_sound(const struct flamegraph *f)
{
	int64_t selfs = 0, width = f->total;

	for (size_t d = 0; d < f->levels.len; d++) {
		int64_t x = 0, sum = 0;

		assert_int_equal(f->levels.data[d].values.len % 4, 0);
		for (size_t i = 0; i < f->levels.data[d].values.len; i += 4) {
			const int64_t *box = f->levels.data[d].values.data + i;

			assert_true(box[0] >= 0 && box[1] > 0 && box[2] >= 0 && box[2] <= box[1]);
			assert_true(box[3] >= 0 && (size_t)box[3] < f->names.len);
			x += box[0] + box[1];
			sum += box[1];
			selfs += box[2];
		}
		assert_true(x <= f->total);
		assert_true(sum <= width);
		width = sum;
	}
	assert_true(selfs == f->total);
}

static void test_random_profiles(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct profile *p = random_profile(seed, 30);
		struct flamegraph f;

		if (flamegraph_of(&f, p, 0, 0) == 0) {
			assert_sound(&f);
			flamegraph_release(&f);
		}
		profile_free(p);
	}
}

static struct profile *three_stacks(void)
{
	struct profile *p = profile_new();
	uint32_t m, set, stack, a, b, c;
	const int64_t v[][2] = {{1, 10}, {2, 20}, {4, 40}};

	MUST(profile_init_cpu(p, 10));
	m = mapping_id(p, "/bin/x", "", true);
	a = location_id(p, m, 1, "a");
	b = location_id(p, m, 2, "b");
	c = location_id(p, m, 3, "c");
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_stack(p, (uint32_t[]){a}, 1, &stack));
	MUST(profile_add(p, stack, set, v[0]));
	MUST(profile_stack(p, (uint32_t[]){b, a}, 2, &stack));
	MUST(profile_add(p, stack, set, v[1]));
	MUST(profile_stack(p, (uint32_t[]){c, a}, 2, &stack));
	MUST(profile_add(p, stack, set, v[2]));
	return p;
}

static void test_boxes(void **state)
{
	static const int64_t root[] = {0, 70, 0, 0}, a[] = {0, 70, 10, 1},
			     children[] = {10, 40, 40, 2, 0, 20, 20, 3};
	struct profile *p = three_stacks();
	struct flamegraph f;

	(void)state;
	assert_int_equal(flamegraph_of(&f, p, 1, 0), 0);
	assert_int_equal(f.levels.len, 3);
	assert_memory_equal(f.levels.data[0].values.data, root, sizeof(root));
	assert_memory_equal(f.levels.data[1].values.data, a, sizeof(a));
	assert_memory_equal(f.levels.data[2].values.data, children, sizeof(children));
	assert_string_equal(f.names.data[0], "total");
	assert_string_equal(f.names.data[2], "c");
	assert_int_equal(f.max_self, 40);
	flamegraph_release(&f);
	profile_free(p);
}

static size_t count_boxes(const struct flamegraph *f)
{
	size_t n = 0;

	for (size_t d = 0; d < f->levels.len; d++)
		n += f->levels.data[d].values.len / 4;
	return n;
}

/* Boxes of that name. */
static size_t count_named(const struct flamegraph *f, const char *name)
{
	size_t n = 0;

	for (size_t d = 0; d < f->levels.len; d++)
		for (size_t i = 3; i < f->levels.data[d].values.len; i += 4)
			n += !strcmp(f->names.data[f->levels.data[d].values.data[i]], name);
	return n;
}

/* The smallest become "other", and their time stays. */
static void test_few_boxes(void **state)
{
	static const size_t most[] = {1, 2, 5, 20, 100};
	struct profile *p = random_profile(3, 200);
	struct flamegraph all, few;

	(void)state;
	assert_int_equal(flamegraph_of(&all, p, 0, 1000000), 0);
	assert_int_equal(count_named(&all, "other"), 0);
	assert_true(count_boxes(&all) > 100);
	for (size_t i = 0; i < sizeof(most) / sizeof(*most); i++) {
		size_t others;

		assert_int_equal(flamegraph_of(&few, p, 0, most[i]), 0);
		assert_sound(&few);
		others = count_named(&few, "other");
		assert_true(others > 0);
		assert_int_equal(count_boxes(&few) - others, most[i]);
		assert_true(few.total == all.total);
		flamegraph_release(&few);
	}
	flamegraph_release(&all);
	profile_free(p);
}

/* Boxes of the same size are no exception, however many there are: a deep stack and its siblings. */
static void test_equal_boxes(void **state)
{
	struct profile *p = profile_new();
	uint32_t m, set, stack, where[20];
	struct flamegraph f;

	(void)state;
	MUST(profile_init_cpu(p, 10));
	m = mapping_id(p, "/bin/x", "", true);
	for (uint64_t i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof(name), "f%d", (int)i);
		where[i] = location_id(p, m, i + 1, name);
	}
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_stack(p, where, 10, &stack));
	MUST(profile_add(p, stack, set, (int64_t[]){1, 10}));
	assert_int_equal(flamegraph_of(&f, p, 1, 4), 0);
	assert_sound(&f);
	assert_int_equal(f.levels.len, 5);
	assert_int_equal(count_named(&f, "other"), 1);
	flamegraph_release(&f);

	for (uint32_t i = 10; i < 20; i++) {
		MUST(profile_stack(p, &where[i], 1, &stack));
		MUST(profile_add(p, stack, set, (int64_t[]){1, 10}));
	}
	assert_int_equal(flamegraph_of(&f, p, 1, 4), 0);
	assert_sound(&f);
	assert_int_equal(count_boxes(&f) - count_named(&f, "other"), 4);
	assert_true(f.total == 110);
	flamegraph_release(&f);
	profile_free(p);
}

static void test_nothing(void **state)
{
	struct profile *p = profile_new();
	struct flamegraph f;

	(void)state;
	assert_int_equal(flamegraph_of(&f, p, 0, 0), 0);
	assert_int_equal(f.names.len, 1);
	assert_string_equal(f.names.data[0], "total");
	assert_int_equal(f.levels.len, 0);
	assert_int_equal(f.total, 0);
	flamegraph_release(&f);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_profiles), cmocka_unit_test(test_boxes),
		cmocka_unit_test(test_few_boxes),	cmocka_unit_test(test_equal_boxes),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
