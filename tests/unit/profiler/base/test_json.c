// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/base/json.h"

static void assert_written(struct json *j, const char *wanted)
{
	assert_string_equal(buf_cstr(j->out), wanted);
	buf_release(j->out);
	*j = (struct json){.out = j->out};
}

static void test_commas(void **state)
{
	struct buf b = {0};
	struct json j = {.out = &b};

	(void)state;
	json_open(&j, '{');
	json_close(&j, '}');
	assert_written(&j, "{}");
	json_open(&j, '[');
	json_int(&j, 1);
	json_open(&j, '[');
	json_close(&j, ']');
	json_open(&j, '{');
	json_key_int(&j, "a", 2);
	json_key_open(&j, "b", '[');
	json_text(&j, "x");
	json_null(&j);
	json_close(&j, ']');
	json_key_open(&j, "c", '{');
	json_key_bool(&j, "d", true);
	json_close(&j, '}');
	json_close(&j, '}');
	json_bool(&j, false);
	json_close(&j, ']');
	assert_written(&j, "[1,[],{\"a\":2,\"b\":[\"x\",null],\"c\":{\"d\":true}},false]");
}

static void test_lines(void **state)
{
	struct buf b = {0};
	struct json j = {.out = &b};

	(void)state;
	json_open(&j, '{');
	json_key_text(&j, "a", "b");
	json_line(&j);
	json_key_open(&j, "rows", '[');
	for (unsigned i = 0; i < 2; i++) {
		json_line(&j);
		json_uint(&j, i);
	}
	json_line(&j);
	json_close(&j, ']');
	json_key_uint(&j, "n", 2);
	json_close(&j, '}');
	assert_written(&j, "{\"a\":\"b\",\n\"rows\":[\n0,\n1\n],\"n\":2}");
}

static void test_numbers(void **state)
{
	struct buf b = {0};
	struct json j = {.out = &b};

	(void)state;
	json_int(&j, INT64_MIN);
	json_int(&j, INT64_MAX);
	json_int(&j, -1);
	json_int(&j, 0);
	json_uint(&j, UINT64_MAX);
	json_double(&j, 0.00001);
	json_double(&j, 0);
	assert_written(&j, "-9223372036854775808,9223372036854775807,-1,0,18446744073709551615,"
			   "1e-05,0");
}

/* A text can end neither itself, nor a line of JavaScript, nor the script element it stands in. */
static void test_texts(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"", "\"\""},
		{"plain \xc3\xa9\xe2\x80\xa6", "\"plain \xc3\xa9\xe2\x80\xa6\""},
		{"\"\\", "\"\\\"\\\\\""},
		{"\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\\u007f\""},
		{"</script>&", "\"\\u003c/script\\u003e\\u0026\""},
		{"a\xe2\x80\xa8"
		 "b\xe2\x80\xa9",
		 "\"a\\u2028b\\u2029\""},
	};
	struct buf b = {0};
	struct json j = {.out = &b};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_text(&j, cases[i].text);
		assert_written(&j, cases[i].wanted);
	}
	json_open(&j, '{');
	json_key_text(&j, "</a>", "<");
	json_close(&j, '}');
	assert_written(&j, "{\"\\u003c/a\\u003e\":\"\\u003c\"}");
}

static void test_elements_of_another_writer(void **state)
{
	struct buf b = {0}, other = {0};
	struct json j = {.out = &b}, part = {.out = &other};

	(void)state;
	json_open(&j, '[');
	json_raw(&j, &other);
	json_int(&j, 1);
	json_int(&part, 2);
	json_int(&part, 3);
	json_raw(&j, &other);
	json_raw(&j, &other);
	json_close(&j, ']');
	assert_written(&j, "[1,2,3,2,3]");
	other.err = -ENOMEM;
	json_raw(&j, &other);
	assert_int_equal(b.err, -ENOMEM);
	buf_release(&other);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commas),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_elements_of_another_writer),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
