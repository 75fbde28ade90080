// SPDX-License-Identifier: GPL-2.0-or-later
/* Names in few columns, against tests/fixtures/short_name*.tsv, which the page's test reads too. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/profile/name_parts.h"
#include "profiler/profile/short_name.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define LEN(array) (sizeof(array) / sizeof(*(array)))

static char *short_of(const char *name, size_t columns)
{
	struct buf b = {0};

	short_name(&b, name, columns);
	assert_int_equal(b.err, 0);
	return buf_take(&b);
}

static const char *fixture_path(const char *name)
{
	static char path[4096];
	const char *src = getenv("SRC");

	snprintf(path, sizeof(path), "%s/tests/fixtures/%s", src ? src : ".", name);
	return path;
}

TEST(test_vectors)
{
	_cleanup_free_ char *all = NULL;
	char *save = NULL;
	size_t len, n = 0;

	assert_int_equal(io_read_file(fixture_path("short_names.tsv"), 1 << 20, &all, &len), 0);
	for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *name = strchr(line, '\t'), *want = name ? strchr(name + 1, '\t') : NULL;
		_cleanup_free_ char *got = NULL;

		if (*line == '#')
			continue;
		assert_non_null(want);
		*want++ = '\0';
		got = short_of(name + 1, (size_t)atoi(line));
		assert_string_equal(got, want);
		n++;
	}
	assert_true(n > 80);
}

/* --- sets -------------------------------------------------------------------------------------- */

/* Lines of a fixture, of which the first column names the set. */
struct set {
	struct short_name v[64];
	const char *want[64];
	size_t n, columns;
};

static void check_set(struct set *s)
{
	assert_int_equal(short_names(s->v, s->n, s->columns), 0);
	for (size_t i = 0; i < s->n; i++)
		assert_string_equal(s->v[i].text, s->want[i]);
	short_names_release(s->v, s->n);
	s->n = 0;
}

/* Only what tells names apart comes back. */
TEST(test_given_back)
{
	static struct set set;
	_cleanup_free_ char *all = NULL;
	char *save = NULL, last[16] = "";
	size_t len, sets = 0;

	assert_int_equal(io_read_file(fixture_path("short_name_sets.tsv"), 1 << 20, &all, &len), 0);
	for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *field[4] = {line};

		if (*line == '#')
			continue;
		for (size_t i = 1; i < LEN(field); i++) {
			field[i] = strchr(field[i - 1], '\t');
			assert_non_null(field[i]);
			*field[i]++ = '\0';
		}
		if (strcmp(field[0], last) != 0) {
			check_set(&set);
			sets++;
		}
		snprintf(last, sizeof(last), "%s", field[0]);
		assert_true(set.n < LEN(set.v));
		set.columns = (size_t)atoi(field[1]);
		set.v[set.n] = (struct short_name){.name = field[2], .suffix = ""};
		set.want[set.n++] = field[3];
	}
	check_set(&set);
	assert_true(sets > 8);
}

/* The same name twice is the same text; another module is another name. */
TEST(test_suffixes)
{
	struct short_name v[] = {
		{.name = "std::vector<int, std::allocator<int> >::push_back(int)", .suffix = ""},
		{.name = "std::vector<int, std::allocator<int> >::push_back(int)", .suffix = ""},
		{.name = "memcpy", .suffix = " [libc.so.6]"},
		{.name = "memcpy", .suffix = " [libfast.so]"},
		{.name = "run", .suffix = " [a_library_with_a_long_name-1.so]"},
		{.name = "run", .suffix = " [a_library_with_a_long_name-2.so]"},
	};

	assert_int_equal(short_names(v, LEN(v), 24), 0);
	assert_string_equal(v[0].text, "std::vector::push_back");
	assert_string_equal(v[1].text, v[0].text);
	assert_string_equal(v[2].text, "memcpy [libc.so.6]");
	assert_string_equal(v[3].text, "memcpy [libfast.so]");
	assert_string_not_equal(v[4].text, v[5].text);
	for (size_t i = 0; i < LEN(v); i++)
		assert_true(text_columns(v[i].text) <= 24);
	short_names_release(v, LEN(v));
}

static void assert_apart(struct short_name *v, size_t n, size_t columns)
{
	assert_int_equal(short_names(v, n, columns), 0);
	for (size_t i = 0; i < n; i++) {
		assert_true(text_columns(v[i].text) <= columns);
		assert_true(text_is_clean(v[i].text, strlen(v[i].text)));
		for (size_t j = 0; j < i; j++)
			if (strcmp(v[i].name, v[j].name))
				assert_string_not_equal(v[i].text, v[j].text);
	}
	short_names_release(v, n);
}

/* What two names got back in few columns they keep in more, one by one, as rows of a tree do in their columns. */
TEST(test_what_was_given_back_stays)
{
	struct short_name v[] = {
		{.name = "java.lang.invoke.LambdaForm$MH.invoke(Object, Object, int)",
		 .suffix = ""},
		{.name = "java.lang.invoke.LambdaForm$MH.invoke(Object, long)", .suffix = ""},
		{.name = "java.lang.invoke.LambdaForm$MH.invoke(Object, long)", .suffix = ""},
	};

	assert_int_equal(short_names(v, 3, 40), 0);
	assert_int_equal(short_names(v, 1, 44), 0);
	assert_int_equal(short_names(v + 1, 1, 45), 0);
	assert_int_equal(short_names(v + 2, 1, 45), 0);
	assert_string_equal(v[0].text, "invoke.LambdaForm$MH.invoke(..., Object...)");
	assert_string_equal(v[1].text, "lang.invoke.LambdaForm$MH.invoke(..., long)");
	assert_string_equal(v[2].text, v[1].text);
	for (int i = 0; i < 2 * SHORT_NAME_KEEPS; i++)
		assert_int_equal(short_names(v, 3, 20 + (size_t)i), 0);
	short_names_release(v, 3);
}

/* Equal up to their 200th character, or in all but a few places. */
TEST(test_alike)
{
	static char names[64][300];
	struct short_name v[LEN(names)];

	for (size_t columns = 12; columns < 100; columns += 4) {
		for (size_t i = 0; i < LEN(names); i++) {
			memset(names[i], i % 2 ? 'x' : 'y', 299);
			memset(names[i], 'x', 200);
			names[i][210] = (char)('a' + i / 2 % 4);
			names[i][250] = (char)('a' + i / 8 % 8);
			v[i] = (struct short_name){.name = names[i], .suffix = ""};
		}
		assert_apart(v, LEN(names), columns);
	}
}

/* What tells names apart may follow on a character of several bytes, in the middle. */
TEST(test_characters_are_whole)
{
	char names[2][100] = {""};
	struct short_name v[2];

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 30; k++)
			strcat(names[i], k == 15 ? (i ? "b" : "a") : k % 2 ? "計" : "算");
		v[i] = (struct short_name){.name = names[i], .suffix = ""};
	}
	assert_int_equal(short_names(v, 2, 20), 0);
	assert_string_equal(v[0].text, "算計算..算a算計算..");
	assert_string_equal(v[1].text, "算計算..算b算計算..");
	short_names_release(v, 2);
}

/* --- properties -------------------------------------------------------------------------------- */

static uint32_t random_state = 1;

static uint32_t below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static void make_name(char *out, size_t size)
{
	static const char *const pieces[] = {"a",	   "std",
					     "foo_bar",	   "::",
					     "::",	   "<",
					     ">",	   "(",
					     ")",	   "[",
					     "]",	   "{",
					     "}",	   ", ",
					     " ",	   ".",
					     "/",	   "operator()",
					     "operator<",  "operator->",
					     "operator ",  "->",
					     " as ",	   " const",
					     "impl ",	   "closure#0",
					     "{lambda(",   ")#1}",
					     "func1",	   ":/srv/a.js:12",
					     "計算",	   "e\xcc\x81",
					     "12",	   "::<",
					     " for ",	   "~",
					     "$_0",	   "h0123456789abcdef",
					     "..",	   "<init>",
					     "closure #1", " in ",
					     "py::",	   "\xf0\x9f\x98\x80",
					     ":",	   ";",
					     "\\",	   "-["};
	size_t n = 1 + below(40);

	for (*out = '\0'; n--;) {
		const char *piece = pieces[below(LEN(pieces))];

		if (strlen(out) + strlen(piece) + 1 < size)
			strcat(out, piece);
	}
}

/* Whether brackets match, operators aside; as an editor would see it. */
static bool is_balanced(const char *s)
{
	char stack[512];
	size_t n = 0;

	for (; *s; s++) {
		const char *close = strchr(")>]}", *s);

		if (strchr("(<[{", *s) && n < sizeof(stack))
			stack[n++] = *s;
		else if (close && (!n || stack[--n] != "(<[{"[close - ")>]}"]))
			return false;
	}
	return !n;
}

TEST(test_any_names)
{
	static char names[24][400];
	struct short_name v[LEN(names)];
	size_t balanced = 0, cut = 0;

	for (int round = 0; round < 3000; round++) {
		size_t columns = 12 + below(60);

		for (size_t i = 0; i < LEN(names); i++) {
			_cleanup_free_ char *text = NULL;

			make_name(names[i], sizeof(names[i]));
			text = short_of(names[i], columns);
			v[i] = (struct short_name){.name = names[i], .suffix = ""};
			assert_true(text_columns(text) <= columns);
			assert_true(text_is_clean(text, strlen(text)));
			assert_true(*text);
			cut += strcmp(text, names[i]) != 0;
			if (!is_balanced(names[i]) || strstr(names[i], "operator") ||
			    strstr(names[i], "->"))
				continue;
			if (!is_balanced(text))
				fail_msg("%s in %zu columns: %s", names[i], columns, text);
			balanced++;
		}
		assert_apart(v, LEN(names), columns);
	}
	assert_true(balanced > 1000 && cut > 1000);
}

/* Long and hostile ones take no longer than their length. */
TEST(test_hostile)
{
	static const char *const pieces[] = {
		"(", "<", "a::", " &", "<a>::", "((a)", "/a", " in ", "::<"};
	static char name[200001];

	for (size_t size = 16000; size < sizeof(name); size *= 12) {
		for (size_t i = 0; i < LEN(pieces); i++) {
			_cleanup_free_ char *text = NULL;
			size_t n = strlen(pieces[i]);

			for (size_t at = 0; at < size; at++)
				name[at] = pieces[i][at % n];
			name[size] = '\0';
			text = short_of(name, 30);
			assert_true(*text && text_columns(text) <= 30);
		}
	}
}

/* Rust's "<impl ..." within others is gone through once for each: so few of them are within one another. */
static void test_selves_within_selves(void **state)
{
	_cleanup_(name_parts_release) struct name_parts parts = {0};
	_cleanup_(buf_release) struct buf name = {0};
	size_t selves = 0;

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_str(&name, "<impl ");
	buf_char(&name, 'x');
	for (int i = 0; i < 2000; i++)
		buf_char(&name, '>');
	assert_int_equal(name_parts_find(&parts, buf_cstr(&name), name.len), 0);
	for (size_t i = 0; i < parts.groups.len; i++)
		selves += parts.groups.data[i].kind == GROUP_SELF;
	assert_int_equal(parts.groups.len, 2000);
	assert_int_equal(selves, NAME_SELF_DEPTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_suffixes),
		cmocka_unit_test(test_what_was_given_back_stays),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_characters_are_whole),
		cmocka_unit_test(test_any_names),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_selves_within_selves),
	};

	setlocale(LC_CTYPE, "C.UTF-8"); /* as main() does: for the width of names */
	return cmocka_run_group_tests_name("short_name", tests, NULL, NULL);
}
