// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows of tables: what tells samples and functions apart, and what is left out. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/clickhouse/ch_schema.h"
#include "profiler/upload/clickhouse_rows.h"
#include "profiler/upload/hash_memo.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct profile *p;
static struct hash_memo memo;
static struct clickhouse_rows rows;

static int begin(void **state)
{
	(void)state;
	p = profile_new();
	return !p || profile_init_cpu(p, 10);
}

static int end(void **state)
{
	(void)state;
	clickhouse_rows_release(&rows);
	hash_memo_release(&memo);
	profile_free(p);
	return 0;
}

static void add(const char *key, const char *value, int64_t ns, const uint32_t *frames, size_t n)
{
	struct profile_label label = {.key = str_id(p, key), .str = str_id(p, value)};
	uint32_t stack, set;

	MUST(profile_stack(p, frames, n, &stack));
	MUST(profile_labelset(p, &label, 1, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){1, ns}));
}

static void build(void)
{
	assert_int_equal(clickhouse_rows_build(&rows, p, &memo), 0);
}

TEST(test_labels_tell_samples_apart)
{
	uint32_t frame = location_id(p, mapping_id(p, "/bin/x", "", true), 0, "f");

	add(LABEL_UNIT, "a.service", 10, &frame, 1);
	add(LABEL_UNIT, "b.service", 10, &frame, 1);
	add(LABEL_NAMESPACE, "one", 10, &frame, 1);
	add(LABEL_NAMESPACE, "two", 10, &frame, 1);
	add(LABEL_POD, "p", 10, &frame, 1);
	add("thread_id", "1", 10, &frame, 1);
	add("thread_id", "2", 5, &frame, 1); /* no column */
	build();
	assert_int_equal(rows.samples.len, 6);
	assert_int_equal(rows.value, 65);
	assert_int_equal(rows.functions.len, 1);
}

/* A pod's name is its service's, whatever unit it is in. */
TEST(test_units_of_one_service)
{
	uint32_t frame = location_id(p, mapping_id(p, "/bin/x", "", true), 0, "f"), stack, set;
	struct profile_label labels[] = {{.key = str_id(p, LABEL_POD), .str = str_id(p, "p")},
					 {.key = str_id(p, LABEL_UNIT)}};

	MUST(profile_stack(p, &frame, 1, &stack));
	for (int i = 0; i < 2; i++) {
		labels[1].str = str_id(p, i ? "a.service" : "b.service");
		MUST(profile_labelset(p, labels, 2, &set));
		MUST(profile_add(p, stack, set, (int64_t[]){1, 10}));
	}
	build();
	assert_int_equal(rows.samples.len, 2);
	assert_int_equal(rows.samples.data[0].service, rows.samples.data[1].service);
	assert_int_equal(rows.stacks.len, 1);
}

/* What adds up to nothing is no row. */
TEST(test_sums_of_nothing)
{
	uint32_t frame = location_id(p, mapping_id(p, "/bin/x", "", true), 0, "f");

	add("thread_id", "1", 10, &frame, 1);
	add("thread_id", "2", -10, &frame, 1);
	build();
	assert_int_equal(rows.samples.len, 0);
	assert_int_equal(rows.hash_sum, 0);
}

/* A function of two files is two; its line has 32 bits. */
TEST(test_functions_and_lines)
{
	struct profile_line line = {.function = function_id(p, "f", ""), .line = (1ll << 32) + 5};
	uint32_t frames[2];

	MUST(profile_location(p, mapping_id(p, "/lib/a.so", "", true), 1, &line, 1, &frames[0]));
	line.line = UINT32_MAX;
	MUST(profile_location(p, mapping_id(p, "/lib/b.so", "", true), 1, &line, 1, &frames[1]));
	add("comm", "x", 10, frames, 2);
	build();
	assert_int_equal(rows.functions.len, 2);
	assert_string_equal(rows.functions.data[0].module, "a.so");
	assert_string_equal(rows.functions.data[1].module, "b.so");
	assert_int_equal(rows.lines.data[0], 0);
	assert_int_equal(rows.lines.data[1], UINT32_MAX);
}

/* Of a stack that is too deep both ends are kept. */
TEST(test_a_stack_that_is_too_deep)
{
	uint32_t mapping = mapping_id(p, "/bin/x", "", true), frames[CH_MAX_FRAMES + 3];
	char name[16];

	for (uint32_t i = 0; i < CH_MAX_FRAMES + 3; i++) {
		snprintf(name, sizeof(name), "f%" PRIu32, i);
		frames[i] = location_id(p, mapping, i + 1, name);
	}
	add("comm", "x", 10, frames, CH_MAX_FRAMES + 3);
	build();
	assert_int_equal(rows.stacks.data[0].n, CH_MAX_FRAMES);
	assert_string_equal(rows.functions.data[0].func, "f0");
	snprintf(name, sizeof(name), "f%d", CH_MAX_FRAMES + 2);
	assert_string_equal(vec_last(&rows.functions).func, name);
}

/* Samples are counted beside what they cost, unless nothing else is said of them. */
TEST(test_what_has_only_counts)
{
	uint32_t frame;

	profile_free(p);
	p = profile_new();
	MUST(profile_add_sample_type(p, "samples", "count"));
	frame = location_id(p, mapping_id(p, "/bin/x", "", true), 0, "f");
	add("comm", "x", 10, &frame, 1);
	build();
	assert_int_equal(rows.samples.len, 1);
	assert_int_equal(rows.samples.data[0].value, 1);
	assert_string_equal(strtab_get(rows.texts, rows.samples.data[0].type), "samples/count");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_labels_tell_samples_apart), T(test_units_of_one_service),
		T(test_sums_of_nothing),	   T(test_functions_and_lines),
		T(test_a_stack_that_is_too_deep),  T(test_what_has_only_counts),
	};

	return cmocka_run_group_tests_name("clickhouse_rows", tests, NULL, NULL);
}
