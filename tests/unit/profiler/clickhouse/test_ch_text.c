// SPDX-License-Identifier: GPL-2.0-or-later
/* Hostile names inside statements: none ends its quotation marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/clickhouse/ch_text.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define assert_string(text, wanted) check_string(text, sizeof(text) - 1, wanted)
static void check_string(const char *text, size_t len, const char *wanted)
{
	struct buf b = {0};

	ch_add_string(&b, text, len);
	assert_string_equal(buf_cstr(&b), wanted);
	buf_release(&b);
}

TEST(plain_text_stays)
{
	assert_string("nginx.service", "'nginx.service'");
	assert_string("", "''");
	assert_string("\xc3\xa4\"`%{p:String}--/*", "'\xc3\xa4\"`%{p:String}--/*'");
}

TEST(what_could_end_a_string_is_escaped)
{
	assert_string("' OR 1=1 --", "'\\' OR 1=1 --'");
	assert_string("\\' ; DROP TABLE samples", "'\\\\\\' ; DROP TABLE samples'");
	assert_string("a\\", "'a\\\\'");
	assert_string("a\0b", "'a\\0b'");
	assert_string("a\n\r\t", "'a\\n\\r\\t'");
	assert_string("\xff\xfe", "'\xff\xfe'");
}

static void assert_name(const char *name, const char *wanted)
{
	struct buf b = {0};

	ch_add_name(&b, name);
	assert_string_equal(buf_cstr(&b), wanted);
	buf_release(&b);
}

TEST(names_have_quotation_marks_of_their_own)
{
	assert_name("kiln", "`kiln`");
	assert_name("a`; DROP DATABASE x; --", "`a\\`; DROP DATABASE x; --`");
	assert_name("a'b", "`a'b`");
	assert_name("a\\", "`a\\\\`");
}

static void assert_time(int64_t ns, const char *wanted)
{
	struct buf b = {0};

	ch_add_time(&b, ns);
	assert_string_equal(buf_cstr(&b), wanted);
	buf_release(&b);
}

TEST(times_are_within_what_there_is)
{
	assert_time(1795854000123456789, "toDateTime(1795854000)");
	assert_time(-1, "toDateTime(0)");
	assert_time(INT64_MIN, "toDateTime(0)");
	assert_time(INT64_MAX, "toDateTime(4294967295)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(what_could_end_a_string_is_escaped),
		cmocka_unit_test(names_have_quotation_marks_of_their_own),
		cmocka_unit_test(times_are_within_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
