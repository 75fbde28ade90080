// SPDX-License-Identifier: GPL-2.0-or-later
/* Amounts: exact both ways, and nothing but amounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdint.h>

#include "profiler/base/quantity.h"
#include "profiler/base/text.h"

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *printed;
	} good[] = {
		{"0", 0, "0B"},
		{"1", 1, "1B"},
		{"1024", 1024, "1KiB"},
		{"1.5 GiB", 3ull << 29, "1536MiB"},
		{"500MB", 500000000, "500MB"},
		{"2TiB", 2ull << 40, "2TiB"},
		{"0.001kB", 1, "1B"},
		{"9223372036854775807", INT64_MAX, "9223372036854775807B"},
	};
	static const char *const bad[] = {"",	   "GiB",   "1G",  "1gib",   "-1",
					  "1.",	   ".5GiB", "1.5", "1 ",     " 1",
					  "1  kB", "0x1",   "1e3", "1,5GiB", "1.0000000001GiB"};
	char out[32];
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(quantity_parse_size(good[i].text, &v), 0);
		assert_int_equal(v, good[i].bytes);
		assert_string_equal(quantity_format_size(v, out, sizeof(out)), good[i].printed);
		assert_int_equal(quantity_parse_size(out, &v), 0);
		assert_int_equal(v, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(quantity_parse_size(bad[i], &v), -EINVAL);
	assert_int_equal(quantity_parse_size("9223372036854775808", &v), -ERANGE);
	assert_int_equal(quantity_parse_size("99999999999999999999", &v), -ERANGE);
	assert_int_equal(quantity_parse_size("8388608TiB", &v), -ERANGE);
}

static void percents(void **state)
{
	static const char *const bad[] = {"1", "%", "1.00001%", "-1%", "1%%", "1 % "};
	char out[32];
	uint64_t v;

	(void)state;
	for (uint64_t ppm = 0; ppm <= 1000000; ppm += 37) {
		quantity_format_percent(ppm, out, sizeof(out));
		assert_int_equal(quantity_parse_percent(out, &v), 0);
		assert_int_equal(v, ppm);
	}
	assert_string_equal(quantity_format_percent(10000, out, sizeof(out)), "1%");
	assert_string_equal(quantity_format_percent(2500, out, sizeof(out)), "0.25%");
	assert_string_equal(quantity_format_percent(1000000, out, sizeof(out)), "100%");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(quantity_parse_percent(bad[i], &v), -EINVAL);
	assert_int_equal(quantity_parse_percent("100.0001%", &v), -ERANGE);
}

static void durations(void **state)
{
	static const uint64_t times[] = {0,
					 1,
					 999,
					 1000,
					 1500000,
					 1000000000,
					 90000000000,
					 3600000000000,
					 36ull * 3600000000000,
					 30ull * 86400000000000};
	static const char *const printed[] = {"0ns", "1ns", "999ns", "1us", "1500us",
					      "1s",  "90s", "1h",    "36h", "30d"};
	char out[32];
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		assert_string_equal(quantity_format_duration(times[i], out, sizeof(out)),
				    printed[i]);
		assert_int_equal(text_parse_duration_ns(out, &v), 0);
		assert_int_equal(v, times[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(percents),
		cmocka_unit_test(durations),
	};

	return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
