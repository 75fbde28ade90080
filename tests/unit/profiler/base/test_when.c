// SPDX-License-Identifier: GPL-2.0-or-later
/* Points in time, on a clock and in a zone of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/base/when.h"

#define S   1000000000ll
#define NOW (1795313647 * S + 5) /* Sunday 2026-11-22 02:14:07 UTC */

static void in_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void assert_when(const char *text, int64_t seconds)
{
	int64_t ns = -1;

	if (when_parse(text, NOW, &ns))
		fail_msg("\"%s\" is refused", text);
	if (ns != seconds * S)
		fail_msg("\"%s\": %lld", text, (long long)(ns / S));
}

static void ago(void **state)
{
	int64_t ns;

	(void)state;
	assert_int_equal(when_parse("now", NOW, &ns), 0);
	assert_int_equal(ns, NOW);
	assert_int_equal(when_parse("3h", NOW, &ns), 0);
	assert_int_equal(ns, NOW - 3 * 3600 * S);
	assert_int_equal(when_parse("1.5m", NOW, &ns), 0);
	assert_int_equal(ns, NOW - 90 * S);
	assert_int_equal(when_parse("2d", NOW, &ns), 0);
	assert_int_equal(ns, NOW - 2 * 86400 * S);
	assert_int_equal(when_parse("1h30m", NOW, &ns), 0);
	assert_int_equal(ns, NOW - 5400 * S);
	assert_int_equal(when_parse("1w", NOW, &ns), 0);
	assert_int_equal(ns, NOW - 7 * 86400 * S);
	assert_int_equal(when_parse("1w2d0.5h", NOW, &ns), 0);
	assert_int_equal(ns, NOW - 9 * 86400 * S - 1800 * S);
}

static void days(void **state)
{
	(void)state;
	in_zone("UTC");
	assert_when("today", 1795305600);
	assert_when("yesterday", 1795305600 - 86400);
	assert_when("yesterday 03:10", 1795305600 - 86400 + 3 * 3600 + 600);
	assert_when("today 01:02:03", 1795305600 + 3723);
	assert_when("01:02", 1795305600 + 3720);
	in_zone("CET-1"); /* an hour earlier there */
	assert_when("today", 1795305600 - 3600);
	assert_when("03:10", 1795305600 - 3600 + 3 * 3600 + 600);
	in_zone("PST8"); /* still Saturday */
	assert_when("today", 1795305600 - 86400 + 8 * 3600);
	in_zone("UTC");
}

/* The clocks went back on 2026-10-25 in Berlin: that day has 25 hours. */
static void days_of_another_length(void **state)
{
	int64_t begin, end;

	(void)state;
	in_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	assert_int_equal(when_parse("2026-10-25", NOW, &begin), 0);
	assert_int_equal(when_parse("2026-10-26", NOW, &end), 0);
	assert_int_equal(end - begin, 25 * 3600 * S);
	in_zone("UTC");
}

static void dates(void **state)
{
	int64_t ns;

	(void)state;
	in_zone("CET-1");
	assert_when("2026-11-22T02:14:07Z", 1795313647);
	assert_when("2026-11-22T03:14:07+01:00", 1795313647);
	assert_when("2026-11-21T20:44:07-05:30", 1795313647);
	assert_when("2026-11-22 03:14:07", 1795313647);
	assert_when("2026-11-22 03:14", 1795313640);
	assert_when("2026-11-22T03:14:07+0100", 1795313647);
	assert_when("2026-11-22T3:14:07+0100", 1795313647);
	assert_when("2024-02-29", 1709164800 - 3600);
	assert_int_equal(when_parse("2026-11-22T02:14:07.25Z", NOW, &ns), 0);
	assert_int_equal(ns, 1795313647 * S + S / 4);
	assert_int_equal(when_parse("3:14:07.0000000019", NOW, &ns), 0);
	assert_int_equal(ns, 1795313647 * S + 1);
	assert_when("@1795313647", 1795313647);
	in_zone("UTC");
}

static void what_is_no_time(void **state)
{
	static const char *const bad[] = {
		"",
		"soon",
		"3",
		"7200",
		"-3h",
		"3x",
		"today ",
		"todayx",
		"yesterday3",
		"24:00",
		"03:60",
		"3:1",
		"3:10:7",
		"3:10.5",
		"03:10:07.",
		"1h30",
		"1h 30m",
		"w",
		"1ww",
		"h1",
		"99999999999w",
		"2026-11-22T03:14:07+010",
		"03:10x",
		"2026-13-01",
		"2026-02-29",
		"2026-11-31",
		"2026-11-00",
		"2026-11-22T",
		"1969-12-31",
		"2026-11-22T03:14:07+1",
		"2026-11-22x",
		"2026-1-2",
		"@",
		"@x",
		"@99999999999999",
		"tomorrow",
		"99999999999d",
		"2026-11-22T25:00Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int64_t ns = 7;

		if (!when_parse(bad[i], NOW, &ns))
			fail_msg("\"%s\" is %lld", bad[i], (long long)ns);
		assert_int_equal(ns, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ago),
		cmocka_unit_test(days),
		cmocka_unit_test(days_of_another_length),
		cmocka_unit_test(dates),
		cmocka_unit_test(what_is_no_time),
	};

	return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}
