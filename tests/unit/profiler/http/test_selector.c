// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/http/selector.h"
#include "profiler/store/where.h"
#include "profiler/base/why.h"

struct parsed {
	struct buf where, meta;
	int err;
};

static struct parsed parse(const char *text)
{
	struct parsed p = {.err = 0};
	const char *why = NULL;

	p.err = selector_parse(text, &p.where, &p.meta, &why);
	if (p.err == -EINVAL)
		assert_non_null(why);
	return p;
}

static void release(struct parsed *p)
{
	buf_release(&p->where);
	buf_release(&p->meta);
}

static void assert_selects(const char *text, const char *where, const char *meta)
{
	struct parsed p = parse(text);

	assert_int_equal(p.err, 0);
	assert_string_equal(buf_cstr(&p.where), where);
	assert_string_equal(buf_cstr(&p.meta), meta);
	release(&p);
}

static void test_selectors(void **state)
{
	(void)state;
	assert_selects("", "", "");
	assert_selects(" {} ", "", "");
	assert_selects("{service_name=\"t\"}", "service_name=\"t\"", "");
	assert_selects("{ a = \"x\" , b=~`y.*`, c!=\"\", d!~'z',}",
		       "a=\"x\",b=~\"y.*\",c!=\"\",d!~\"z\"", "");
	assert_selects("{a=\"x\",__profile_type__=\"p:q\"}", "a=\"x\"", "__profile_type__=\"p:q\"");
	assert_selects("{\"pod.name\"=\"x\"}", "pod.name=\"x\"", "");
	/* Escapes become what they stand for; quotes and backslashes are escaped anew. */
	assert_selects("{a=\"q\\\"\\\\.\\u00e9\"}", "a=\"q\\\"\\\\.\xc3\xa9\"", "");
	assert_selects("{a=`\\d\"`}", "a=\"\\\\d\\\"\"", "");
}

static void test_hostile_selectors(void **state)
{
	static const char *const bad[] = {
		"{",
		"}",
		"a=\"x\"",
		"{a}",
		"{a=}",
		"{a=x}",
		"{a=\"x}",
		"{=\"x\"}",
		"{a==\"x\"}",
		"{a=\"x\"}}",
		"{a=\"x\" b}",
		"{a=\"x\"b=\"y\"}",
		"{a=\"x\",,}",
		"{a=\"\\q\"}",
		"{a=\"\\u12\"}",
		"{a=\"\\ud800\"}",
		"{a=\"\\x00\"}",
		"{\"a b\"=\"x\"}",
		"{a\"=\"x\"}",
		"{a=\"\\",
		"{\"a,b=\\\"\"=\"x\"}",
		"{a<\"x\"}",
		"{,}",
		"{\"\"=\"x\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct parsed p = parse(bad[i]);

		if (p.err != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		release(&p);
	}
}

/* Whatever a value holds, it stays one value of one condition. */
static void test_nothing_gets_out_of_a_value(void **state)
{
	static const char *const values[] = {"a\",b=\"c", "\\", "\\\"",	  "x,y=z",
					     "\"",	  "}{", "\\\\\","};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct where_label label = {"k", values[i]};
		struct why why = {""};
		struct buf text = {0};
		struct where *w;
		struct parsed p;

		buf_str(&text, "{k=\"");
		for (const char *c = values[i]; *c; c++)
			buf_printf(&text, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
		buf_str(&text, "\"}");
		p = parse(buf_cstr(&text));
		assert_int_equal(p.err, 0);
		assert_int_equal(where_parse(&w, buf_cstr(&p.where), &why), 0);
		assert_true(where_matches(w, &label, 1));
		label.value = "other";
		assert_false(where_matches(w, &label, 1));
		where_free(w);
		release(&p);
		buf_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_hostile_selectors),
		cmocka_unit_test(test_nothing_gets_out_of_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
