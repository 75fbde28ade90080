// SPDX-License-Identifier: GPL-2.0-or-later
/* The command framework: option walks, suggestions, and what the tables must keep to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/command.h"
#include "profiler/base/suggest.h"

#define COUNT(a)   (sizeof(a) / sizeof(*(a)))
#define TEST(name) static void name(void **state __attribute__((unused)))

static const struct option_spec specs[] = {
	{"top", 'n', "N", "rows", 0},	   {"callers", 0, "F", "callers", 1},
	{"callees", 0, "F", "callees", 2}, {"tree", 't', NULL, "tree", 3},
	{"stacks", 'g', NULL, NULL, 4},	   {0},
};
static const struct command cmd = {
	.name = "try", .summary = "a test", .synopsis = "FILE", .options = specs};

/* Standard output and error of a walk, caught through a file. */
struct capture {
	int saved[2];
	FILE *file[2];
	char *text[2];
};

static void capture_start(struct capture *c)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		c->saved[i] = dup(i + 1);
		c->file[i] = tmpfile();
		assert_non_null(c->file[i]);
		dup2(fileno(c->file[i]), i + 1);
	}
}

static void capture_end(struct capture *c)
{
	size_t len;

	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(c->saved[i], i + 1);
		close(c->saved[i]);
		lseek(fileno(c->file[i]), 0, SEEK_SET);
		assert_int_equal(io_read_fd(fileno(c->file[i]), 1 << 20, &c->text[i], &len), 0);
		fclose(c->file[i]);
	}
}

static void capture_free(struct capture *c)
{
	free(c->text[0]);
	free(c->text[1]);
}

/* Walks words; the trace is "id[=arg] ... END: operands". */
static char *walk(const char *words, int stop_at_operand, struct capture *c)
{
	char *copy = strdup(words), *argv[32] = {"try"}, **rest;
	struct options o = {.cmd = &cmd, .argv = argv, .stop_at_operand = stop_at_operand};
	struct buf b = {0};
	int id, n, argc = 1;

	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	o.argc = argc;
	capture_start(c);
	while ((id = options_next(&o)) >= 0)
		buf_printf(&b, "%d%s%s ", id, o.arg ? "=" : "", o.arg ? o.arg : "");
	capture_end(c);
	buf_str(&b, id == OPTIONS_END ? "END" : id == OPTIONS_HELP ? "HELP" : "ERROR");
	if (id == OPTIONS_END) {
		rest = options_operands(&o, &n);
		for (int i = 0; i < n; i++)
			buf_printf(&b, " %s", rest[i]);
		assert_null(rest[n]);
	}
	buf_printf(&b, " color%d", (int)o.color);
	options_release(&o);
	free(copy);
	return buf_take(&b);
}

TEST(test_walks)
{
	static const struct {
		const char *words, *trace, *said;
		int stop;
	} rows[] = {
		{"", "END color0", ""},
		{"-n 5 file", "0=5 END file color0", ""},
		{"file -n5 -t", "0=5 3 END file color0", ""},
		{"file -n5 -t", "END file -n5 -t color0", "", 1},
		{"-t file -n5", "3 END file -n5 color0", "", 1},
		{"--top=7 -gt --", "0=7 4 3 END color0", ""},
		{"-t -- -n --top", "3 END -n --top color0", ""},
		{"--tr - b", "3 END - b color0", ""},
		{"--color never a", "END a color2", ""},
		{"--color=always", "END color1", ""},
		{"--color=blue", "ERROR color0",
		 "kiln: try: --color: \"blue\" is none of "
		 "auto|always|never\n"},
		{"--color=auto|", "ERROR color0",
		 "kiln: try: --color: \"auto|\" is none of "
		 "auto|always|never\n"},
		{"--callrs f", "ERROR color0",
		 "kiln: try: unknown option --callrs (did you mean --callers?)\n"},
		{"--call f", "ERROR color0",
		 "kiln: try: --call could be any of --callers, --callees\n"},
		{"--zzzzzz=1", "ERROR color0", "kiln: try: unknown option --zzzzzz\n"},
		{"-z", "ERROR color0", "kiln: try: unknown option -z\n"},
		{"-tz", "ERROR color0", "kiln: try: unknown option -z\n"},
		{"file --top", "ERROR color0", "kiln: try: option --top needs a value: N\n"},
		{"-n", "ERROR color0", "kiln: try: option --top needs a value: N\n"},
		{"--tree=3", "ERROR color0", "kiln: try: option --tree takes no value\n"},
		{"-t --help --zzz", "3 HELP color0", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct capture c;
		char *trace = walk(rows[i].words, rows[i].stop, &c);

		if (rows[i].said[0]) {
			assert_true(text_has_prefix(c.text[1], rows[i].said));
			assert_string_equal(c.text[1] + strlen(rows[i].said),
					    "Try: kiln try --help\n");
		} else {
			assert_string_equal(c.text[1], "");
		}
		/* the -t before an error or help is still reported */
		assert_string_equal(text_has_prefix(trace, "3 ERROR") ? trace + 2 : trace,
				    rows[i].trace);
		free(trace);
		capture_free(&c);
	}
}

TEST(test_help_shows_table)
{
	struct capture c;
	char *trace = walk("-h", 0, &c);

	free(trace);
	for (const struct option_spec *s = specs; s->name; s++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s", s->name);
		assert_int_equal(strstr(c.text[0], text) != NULL, s->help != NULL);
	}
	assert_non_null(strstr(c.text[0], "-n, --top N"));
	assert_non_null(strstr(c.text[0], "-h, --help"));
	capture_free(&c);
}

TEST(test_values)
{
	struct options o = {.cmd = &cmd};
	unsigned long long v = 42;
	struct capture c;

	capture_start(&c);
	o.arg = "12";
	assert_int_equal(option_u64(&o, "-n", 1, 12, &v), 0);
	assert_int_equal(v, 12);
	for (const char *const *bad = (const char *const[]){"0", "13", "-1", "", "1x", "0x1",
							    "99999999999999999999", NULL};
	     *bad; bad++) {
		o.arg = *bad;
		assert_int_equal(option_u64(&o, "-n", 1, 12, &v), -EINVAL);
	}
	assert_int_equal(v, 12);
	o.arg = "1.5m";
	assert_int_equal(option_duration_ns(&o, "-d", &v), 0);
	assert_int_equal(v, 90000000000ull);
	o.arg = "5 parsecs";
	assert_int_equal(option_duration_ns(&o, "-d", &v), -EINVAL);
	o.arg = "c";
	assert_int_equal(option_word(&o, "--by", "ab|c"), 1);
	o.arg = "a";
	assert_int_equal(option_word(&o, "--by", "ab|c"), 0);
	assert_int_equal(option_word(&o, "--by", "ab|c|ac"), -EINVAL);
	assert_int_equal(option_word(&o, "--by", "ab|a"), 1);
	for (const char *const *bad = (const char *const[]){"", "d", "abc", "ab|", "b", NULL}; *bad;
	     bad++) {
		o.arg = *bad;
		assert_int_equal(option_word(&o, "--by", "ab|c"), -EINVAL);
	}
	capture_end(&c);
	assert_non_null(strstr(c.text[1], "-n: \"13\" is not a whole number from 1 to 12"));
	assert_non_null(strstr(c.text[1], "--by: \"a\" is more than one of ab|c|ac\n"));
	assert_non_null(strstr(c.text[1], "--by: \"d\" is none of ab|c\n"));
	capture_free(&c);
}

/* Plain recursion over the definition, without a table. */
static size_t slow_distance(const char *a, const char *b)
{
	size_t d, e;

	if (!*a || !*b)
		return strlen(a) + strlen(b);
	d = slow_distance(a + 1, b + 1) + (*a != *b);
	e = slow_distance(a + 1, b) + 1;
	d = e < d ? e : d;
	e = slow_distance(a, b + 1) + 1;
	d = e < d ? e : d;
	if (a[1] && b[1] && a[0] == b[1] && a[1] == b[0]) {
		e = slow_distance(a + 2, b + 2) + 1;
		d = e < d ? e : d;
	}
	return d;
}

TEST(test_distance_against_definition)
{
	char a[8], b[8], longer[SUGGEST_MAX_LEN + 2];
	unsigned seed = 7;

	for (int round = 0; round < 400; round++) {
		size_t n = (size_t)rand_r(&seed) % 7, m = (size_t)rand_r(&seed) % 7;

		for (size_t i = 0; i < n; i++)
			a[i] = "abc"[rand_r(&seed) % 3];
		for (size_t i = 0; i < m; i++)
			b[i] = "abc"[rand_r(&seed) % 3];
		a[n] = b[m] = '\0';
		assert_int_equal(suggest_distance(a, b), slow_distance(a, b));
	}
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_true(suggest_distance(longer, "x") == SIZE_MAX);
}

static const char *nearest(const char *typed)
{
	struct suggest s = {.typed = typed};

	for (const char *const *w =
		     (const char *const[]){"record", "report", "export", "doctor", "", NULL};
	     *w; w++)
		suggest_consider(&s, *w);
	return s.best;
}

TEST(test_suggestions)
{
	assert_string_equal(nearest("recrod"), "record");
	assert_string_equal(nearest("reprot"), "report");
	assert_string_equal(nearest("exprot"), "export");
	assert_string_equal(nearest("doc"), "doctor");
	assert_null(nearest("x"));
	assert_null(nearest(""));
	assert_null(nearest("flamegraph"));
}

/* What every command's table must keep to. */
TEST(test_tables)
{
	for (const struct command *const *c = commands; *c; c++) {
		const struct option_spec *tables[] = {(*c)->options, options_common};
		struct buf seen = {0};

		assert_ptr_equal(command_find((*c)->name), *c);
		assert_non_null((*c)->summary);
		assert_non_null((*c)->synopsis);
		assert_true(text_columns((*c)->summary) <= 70);
		for (size_t t = 0; t < COUNT(tables); t++) {
			for (const struct option_spec *s = tables[t]; s && s->name; s++) {
				char word[64];

				assert_true(s->id >= 0);
				snprintf(word, sizeof(word), " --%s ", s->name);
				assert_null(strstr(buf_cstr(&seen), word));
				buf_str(&seen, word);
				if (!s->short_name)
					continue;
				snprintf(word, sizeof(word), " -%c ", s->short_name);
				assert_null(strstr(buf_cstr(&seen), word));
				buf_str(&seen, word);
			}
		}
		buf_release(&seen);
	}
	assert_null(command_find("nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_help_shows_table),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_distance_against_definition),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
