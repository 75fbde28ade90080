// SPDX-License-Identifier: GPL-2.0-or-later
/* What the exceptions of servers mean: found in headers and bodies, and what to do then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/clickhouse/ch_codes.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static int code_of(int header, const char *body, bool is_text)
{
	struct net_answer a = {.clickhouse_code = header, .status = 200};
	int code;

	buf_str(&a.body, body);
	code = ch_code_of(&a, is_text);
	buf_release(&a.body);
	return code;
}

#define OLD                                                                                        \
	"Code: 60, e.displayText() = DB::Exception: Table kiln.x doesn't exist., e.what() = "      \
	"DB::Exception\n"
#define NEW                                                                                        \
	"Code: 252. DB::Exception: Too many parts (3001). (TOO_MANY_PARTS) (version 26.9.2.1 "     \
	"(official build))\n"

TEST(codes_are_found)
{
	assert_int_equal(code_of(0, OLD, true), 60);
	assert_int_equal(code_of(0, NEW, true), 252);
	assert_int_equal(code_of(0, "\x01\x02 data of a block" NEW, true), 252);
	assert_int_equal(code_of(209, "", false), 209);
	assert_int_equal(code_of(209, OLD, true), 209);
	assert_int_equal(code_of(0, "", true), 0);
}

TEST(what_only_looks_like_a_code_is_none)
{
	assert_int_equal(code_of(0, OLD, false), 0);
	assert_int_equal(code_of(0, "Code: 60, says a page", true), 0);
	assert_int_equal(code_of(0, "DB::Exception: no code", true), 0);
	assert_int_equal(code_of(0, "Code: , DB::Exception", true), 0);
	assert_int_equal(code_of(0, "Code: 99999999999999, DB::Exception", true), 0);
	assert_int_equal(code_of(0, "Code: ", true), 0);
}

static enum ch_do what(int code)
{
	const struct ch_meaning *m = ch_meaning(code);

	assert_non_null(m);
	assert_int_equal(m->code, code);
	return m->what;
}

TEST(what_to_do)
{
	static const int again[] = {252, 241, 202, 242, 243, 279, 285, 225, 439};
	static const int unsure[] = {159, 209, 210, 319, 999, 236, 216};
	static const int refuse[] = {27, 33, 53, 62, 73, 117};
	static const int stop[] = {16, 60, 81, 115, 164, 192, 193, 194, 432, 497, 516};

	for (size_t i = 0; i < sizeof(again) / sizeof(*again); i++)
		assert_int_equal(what(again[i]), CH_AGAIN);
	for (size_t i = 0; i < sizeof(unsure) / sizeof(*unsure); i++)
		assert_int_equal(what(unsure[i]), CH_UNSURE);
	for (size_t i = 0; i < sizeof(refuse) / sizeof(*refuse); i++)
		assert_int_equal(what(refuse[i]), CH_REFUSE);
	for (size_t i = 0; i < sizeof(stop) / sizeof(*stop); i++)
		assert_int_equal(what(stop[i]), CH_STOP);
	assert_null(ch_meaning(123456));
	assert_null(ch_meaning(0));
}

static void assert_said(const char *body, const char *wanted)
{
	struct net_answer a = {.status = 500};
	struct buf said = {0};

	buf_str(&a.body, body);
	ch_add_said(&said, &a);
	assert_string_equal(buf_cstr(&said), wanted);
	buf_release(&said);
	buf_release(&a.body);
}

TEST(what_it_says_is_one_clean_line)
{
	char text[1000] = "Code: 1. DB::Exception: ";

	assert_said(OLD, "Table kiln.x doesn't exist.");
	assert_said(NEW, "Too many parts (3001). (TOO_MANY_PARTS)");
	assert_said("Code: 1. DB::Exception: a\x1b[2J\nb", "a\xef\xbf\xbd[2J");
	assert_said("nothing of it", "");
	memset(text + strlen(text), 'x', sizeof(text) - strlen(text) - 1);
	assert_said(text, strndupa(text + 24, 200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_found),
		cmocka_unit_test(what_only_looks_like_a_code_is_none),
		cmocka_unit_test(what_to_do),
		cmocka_unit_test(what_it_says_is_one_clean_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
