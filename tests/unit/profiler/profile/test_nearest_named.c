// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/profile/nearest_named.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void add(struct profile *p, int64_t value, const char *const *names)
{
	uint32_t frames[8], stack, set;
	size_t len = 0;

	for (; names[len]; len++)
		frames[len] = location_id(p, mapping_id(p, "/bin/x", "", true), 0, names[len]);
	MUST(profile_stack(p, frames, len, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){value, value}));
}
#define ADD(p, n, ...) add(p, n, (const char *const[]){__VA_ARGS__, NULL})

static void assert_nearest(const struct profile *p, const char *want, int64_t want_weight)
{
	int64_t weight;
	char *name;

	assert_int_equal(nearest_named(&name, &weight, p, 1), 0);
	if (want)
		assert_string_equal(name, want);
	else
		assert_null(name);
	assert_int_equal(weight, want_weight);
	free(name);
}

TEST(test_nearest)
{
	struct profile *p = profile_new();

	MUST(profile_init_cpu(p, 1));
	assert_nearest(p, NULL, 0);
	ADD(p, 40, "x+sub_10", "main"); /* whoever is below main() */
	assert_nearest(p, NULL, 0);
	ADD(p, 5, "parse", "main");
	ADD(p, 5, "load", "main");
	assert_nearest(p, "load", 5);
	ADD(p, 1, "[jit]", "x+sub_20", "parse", "load", "main");
	assert_nearest(p, "parse", 6);
	ADD(p, 30, "x+sub_20", "luaV_execute", "load", "main");
	assert_nearest(p, "parse", 6);
	profile_free(p);
}

/* An inlined function is nearer than the one that it is in. */
TEST(test_inlined)
{
	struct profile *p = profile_new();
	uint32_t location, stack, set;
	struct profile_line lines[3] = {{0}};

	MUST(profile_init_cpu(p, 1));
	lines[0].function = function_id(p, "x+sub_10", "");
	lines[1].function = function_id(p, "inner", "");
	lines[2].function = function_id(p, "outer", "");
	MUST(profile_location(p, mapping_id(p, "/bin/x", "", true), 0x1234, lines, 3, &location));
	MUST(profile_stack(p, &location, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){7, 7}));
	assert_nearest(p, "inner", 7);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_inlined),
	};

	return cmocka_run_group_tests_name("nearest_named", tests, NULL, NULL);
}
