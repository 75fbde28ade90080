// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/store/where.h"
#include "profiler/base/why.h"

static const struct where_label labels[] = {
	{"comm", "nginx"},
	{"unit", "nginx.service"},
	{"pid", "42"},
	{"path", "a,b\"c"},
};
#define N_LABELS (sizeof(labels) / sizeof(*labels))

static struct where *parse(const char *text)
{
	struct why why = {""};
	struct where *w = NULL;

	if (where_parse(&w, text, &why))
		fail_msg("%s: %s", text, why.text);
	return w;
}

static bool matches(const char *text)
{
	struct where *w = parse(text);
	bool yes = where_matches(w, labels, N_LABELS);

	where_free(w);
	return yes;
}

static void conditions_hold_or_not(void **state)
{
	(void)state;
	assert_true(matches("comm=nginx"));
	assert_false(matches("comm=ngin"));
	assert_true(matches("comm!=redis"));
	assert_false(matches("comm!=nginx"));
	assert_true(matches("comm=~n.*x"));
	assert_false(matches("comm=~gin")); /* the whole value */
	assert_true(matches("comm=~redis|nginx"));
	assert_false(matches("comm!~redis|nginx"));
	assert_true(matches("comm=nginx,unit=nginx.service,pid=42"));
	assert_false(matches("comm=nginx,unit=redis.service"));
	assert_true(matches("pid=0042"));
	assert_false(matches("pid=4"));
	assert_true(matches("pid=~4."));
	assert_true(matches("comm!=,container="));
	assert_false(matches("container!="));
	assert_true(matches("container!~..*"));
	assert_true(matches("path=\"a,b\\\"c\",comm=nginx"));
	assert_true(matches("tid="));
}

static void malformed_ones_say_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "name is missing"},
		{"=x", "name is missing"},
		{"comm", "one of = != =~ !~ is missing"},
		{"comm~x", "one of = != =~ !~ is missing"},
		{"comm=x,", "name is missing"},
		{"comm=x,,", "name is missing"},
		{"comm=\"x", "closing \" is missing"},
		{"comm=\"x\"y", "comma is missing"},
		{"pid=abc", "pid is a number"},
		{"tid!=-1", "thread_id is a number"},
		{"pid=99999999999999999999", "pid is a number"},
		{"comm=~(", "a parenthesis that is not closed"},
		{"comm=~a)(b", "a parenthesis that is not opened"},
		{"comm=~a).*|b", "a parenthesis that is not opened"},
		{"comm=~(a)\\1", "back-reference"},
		{"comm=~(x{200}){200}", "repeats too much"},
		/* what stands before a plus is there twice, and nobody has to write a brace */
		{"comm=~((((((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
		 "9 groups"},
		{"comm=~x++++++++++++++++++++++++++++++", "repeats what is repeated"},
		{"comm=~\"x{1,99999}\"", "repeats too much"},
		{"comm=~x{255}*{255}", "repeats what is repeated"},
		{"comm=~x{255}?{255}", "repeats what is repeated"},
		{"comm=~x********************", "repeats what is repeated"},
		{"comm=~x??", "repeats what is repeated"},
		{"comm=~(((((((((x****)****)****)****)****)****)****)****)****)",
		 "repeats what is repeated"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct why why = {""};
		struct where *w = NULL;

		assert_int_equal(where_parse(&w, cases[i].text, &why), -EINVAL);
		assert_null(w);
		if (!strstr(why.text, cases[i].why))
			fail_msg("\"%s\": %s", cases[i].text, why.text);
	}
}

static void too_much_is_refused(void **state)
{
	char *text = calloc(1, 4096);
	struct why why;
	struct where *w = NULL;

	(void)state;
	for (int i = 0; i < 65; i++)
		strcat(text, i ? ",a=b" : "a=b");
	assert_int_equal(where_parse(&w, text, &why), -EINVAL);
	strcpy(text, "comm=~");
	memset(text + 6, 'x', 2000);
	assert_int_equal(where_parse(&w, text, &why), -EINVAL);
	free(text);
}

static enum where_answer may_match(const char *text)
{
	static const char *const open[] = {"pid", "thread_id"};
	struct where *w = parse(text);
	enum where_answer answer = where_may_match(w, labels, 2, open, 2);

	where_free(w);
	return answer;
}

/* A series leaves open what each of its label sets has a number for. */
static void a_series_may_decide(void **state)
{
	(void)state;
	assert_int_equal(may_match("comm=nginx"), WHERE_YES);
	assert_int_equal(may_match("comm=redis"), WHERE_NO);
	assert_int_equal(may_match("pid=42"), WHERE_DEPENDS);
	assert_int_equal(may_match("pid=42,comm=redis"), WHERE_NO);
	assert_int_equal(may_match("comm=nginx,tid!=1"), WHERE_DEPENDS);
}

/* Any text at all: an answer or a refusal. */
static void invented_ones_hurt_nobody(void **state)
{
	static const char alphabet[] = "ab=~!,\"\\(){}[]|*+.?^$0 9_-\xc3";
	uint64_t r = 1;
	unsigned good = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[32];
		size_t n = i % sizeof(text);
		struct why why;
		struct where *w;

		for (size_t k = 0; k < n; k++) {
			r = hash_u64(r + 1);
			text[k] = alphabet[r % (sizeof(alphabet) - 1)];
		}
		text[n] = '\0';
		if (i % 2 && n > 3)
			memcpy(text, "a=~", 3);
		if (where_parse(&w, text, &why))
			continue;
		where_matches(w, labels, N_LABELS);
		where_free(w);
		good++;
	}
	assert_true(good > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_hold_or_not),
		cmocka_unit_test(malformed_ones_say_what_is_wrong),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(a_series_may_decide),
		cmocka_unit_test(invented_ones_hurt_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
