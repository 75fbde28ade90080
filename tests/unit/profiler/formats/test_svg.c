// SPDX-License-Identifier: GPL-2.0-or-later
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "profiler/formats/describe.h"
#include "profiler/formats/export.h"

/* --- a profile of named stacks ------------------------------------------------------------------ */

static uint32_t string(struct profile *p, const char *s)
{
	uint32_t id;

	assert_int_equal(profile_string(p, s, &id), 0);
	return id;
}

static uint32_t location(struct profile *p, const char *file, const char *name)
{
	struct profile_mapping m = {.file = string(p, file)};
	struct profile_function f = {.name = string(p, name), .system_name = string(p, name)};
	struct profile_line line = {0};
	uint32_t map, id;

	assert_int_equal(profile_mapping(p, &m, &map), 0);
	assert_int_equal(profile_function(p, &f, &line.function), 0);
	assert_int_equal(profile_location(p, map, 0, &line, 1, &id), 0);
	return id;
}

/* Leaf first, as profile_stack() wants them. */
static void add(struct profile *p, int64_t count, const char *comm, size_t n,
		const char *const *names)
{
	struct profile_label l = {.key = string(p, LABEL_COMM), .str = string(p, comm)};
	int64_t values[2] = {count, count * 10000000};
	uint32_t locations[64], stack, set;

	for (size_t i = 0; i < n; i++)
		locations[i] = location(p, "/usr/bin/<burn>&", names[i]);
	assert_int_equal(profile_stack(p, locations, n, &stack), 0);
	assert_int_equal(profile_labelset(p, &l, 1, &set), 0);
	assert_int_equal(profile_add(p, stack, set, values), 0);
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 10000000), 0);
	return p;
}

static char *svg_of(const struct profile *p, const char *title)
{
	struct export_opts opts = {.title = title};
	struct buf b = {0};

	assert_int_equal(export_svg(&b, p, &opts), 0);
	return buf_take(&b);
}

/* --- as strict as an XML parser about what could go wrong here ---------------------------------- */

static const char *skip_text(const char *s)
{
	static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

	for (; *s && *s != '<'; s++) {
		size_t known = 0;

		/* U+FFFE and U+FFFF are no XML characters. */
		assert_false(!strncmp(s, "\xef\xbf\xbe", 3) || !strncmp(s, "\xef\xbf\xbf", 3));
		assert_true((unsigned char)*s >= 0x20 || *s == '\n' || *s == '\t');
		for (size_t i = 0; i < 5; i++)
			known += !strncmp(s, entities[i], strlen(entities[i]));
		assert_true(*s != '&' || known);
	}
	return s;
}

/* Checks that tags nest and counts the elements of one name. */
static size_t count_elements(const char *s, const char *name)
{
	char open[16][16];
	size_t depth = 0, n = 0;

	assert_int_equal(strncmp(s, "<?xml", 5), 0);
	for (s = strstr(s, "?>") + 3; *s; s = skip_text(s)) {
		const char *end = strchr(s, '>');

		if (!strncmp(s, "<![CDATA[", 9)) {
			s = strstr(s, "]]>") + 3;
			continue;
		}
		assert_non_null(end);
		if (s[1] == '/') {
			assert_true(depth > 0);
			depth--;
			assert_int_equal(strncmp(s + 2, open[depth], strlen(open[depth])), 0);
		} else {
			assert_true(depth < 16);
			assert_int_equal(sscanf(s + 1, "%15[a-z]", open[depth]), 1);
			n += !strcmp(open[depth], name);
			depth += end[-1] != '/';
		}
		s = end + 1;
	}
	assert_int_equal(depth, 0);
	return n;
}

static void test_hostile_names_are_text(void **state)
{
	static const char *const names[] = {
		"</title><script>alert(1)</script>",
		"\"onload='alert(1)'",
		"operator<<<char const*>&&",
		"]]> &amp; <![CDATA[",
		"non-\xef\xbf\xbf-character\xef\xbf\xbe",
		"\xe5\x86\x99\xe7\x9c\x9f\xe5\x86\x99\xe7\x9c\x9f\xe5\x86\x99\xe7\x9c\x9f",
	};
	struct profile *p = new_profile();
	char *svg;

	(void)state;
	add(p, 3, "<svg onload=x>", 6, names);
	svg = svg_of(p, "</text><script>\x1b]0;alert(1)</script>");
	assert_int_equal(count_elements(svg, "script"), 1);
	assert_int_equal(count_elements(svg, "g"), 1 + 8); /* all, comm, six frames */
	assert_non_null(strstr(svg, "&lt;/title&gt;&lt;script&gt;alert(1)"));
	assert_null(strstr(svg, "\x1b"));
	free(svg);
	profile_free(p);
}

static void test_hostile_sample_type_is_text(void **state)
{
	static const char *const names[] = {"main"};
	struct profile *p = profile_new();
	char *svg;

	(void)state;
	assert_non_null(p);
	assert_int_equal(profile_add_sample_type(p, "<script>alert(1)</script>", "count"), 0);
	assert_int_equal(profile_add_sample_type(p, "&", "count"), 0);
	add(p, 3, "comm", 1, names);
	svg = svg_of(p, "title");
	assert_int_equal(count_elements(svg, "script"), 1);
	assert_non_null(strstr(svg, "alert(1)") ?: strstr(svg, "&amp;"));
	free(svg);
	profile_free(p);
}

/* Of one <g>: the text is within its box, at 7.3 pixels a character and 3 on either side. */
/* Whether it was cut. */
static bool check_label_fits(const char *g)
{
	const char *text = strchr(strstr(g, "<text"), '>') + 1;
	char *label = strndup(text, (size_t)(strchr(text, '<') - text));
	bool is_cut = strstr(label, "..");
	double width;

	assert_int_equal(sscanf(strstr(g, " width="), " width=\"%lf\"", &width), 1);
	assert_true(!*label || (double)text_columns(label) * 7.3 <= width - 6);
	free(label);
	return is_cut;
}

/* Boxes of many widths with a name of characters that take three bytes each. */
static void check_cut_labels(const char *character)
{
	struct profile *p = new_profile();
	char name[3 * 400 + 8];
	size_t cut = 0;
	char *svg;

	for (int i = 1; i < 40; i++) {
		size_t len = (size_t)snprintf(name, sizeof(name), "%d", i);

		for (size_t k = 0; k < 400; k++, len += 3)
			memcpy(name + len, character, 4);
		add(p, i, "burn", 1, (const char *[]){name});
	}
	svg = svg_of(p, NULL);
	count_elements(svg, "text");
	for (char *s = svg; *s; s++)
		*s = *s == '\n' || *s == '\t' ? ' ' : *s;
	assert_true(text_is_clean(svg, strlen(svg)));
	for (const char *s = strstr(svg, "<g><title>"); s; s = strstr(s + 1, "<g><title>"))
		cut += check_label_fits(s);
	assert_true(cut > 0);
	free(svg);
	profile_free(p);
}

static void test_labels_are_cut_between_characters(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	check_cut_labels("\xe2\x82\xac");
	check_cut_labels("\xe5\x86\x99"); /* two columns wide */
	setlocale(LC_CTYPE, "C");
}

static void test_boxes_fill_the_picture_and_stay_in_it(void **state)
{
	struct profile *p = new_profile();
	double taken[1000] = {0};
	size_t n = 0;
	char *svg;

	(void)state;
	for (int i = 1; i < 30; i++) {
		char leaf[16];

		snprintf(leaf, sizeof(leaf), "leaf%d", i);
		add(p, i * i, i % 3 ? "burn" : "cat", 2, (const char *[]){leaf, "main"});
	}
	svg = svg_of(p, NULL);
	for (const char *s = strstr(svg, "<g><title>"); s; s = strstr(s + 1, "<g><title>"), n++) {
		double x, width;
		unsigned y;

		assert_int_equal(sscanf(strstr(s, "<rect"),
					"<rect x=\"%lf\" y=\"%u\" width=\"%lf\"", &x, &y, &width),
				 3);
		/* Right of what is already in its row. */
		assert_true(y < 1000 && x >= taken[y] - 0.02);
		taken[y] = x + width;
		assert_true(x >= 10 && x + width <= 1190.02 && width > 0);
		if (!strncmp(s, "<g><title>all\n", 14))
			assert_true(width == 1180);
	}
	assert_int_equal(n, 1 + 2 + 2 + 29);
	free(svg);
	profile_free(p);
}

static void test_same_picture_whatever_the_order(void **state)
{
	struct profile *a = new_profile(), *b = new_profile();
	char *sa, *sb;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char leaf[2][16];

		snprintf(leaf[0], sizeof(leaf[0]), "leaf%d", i);
		snprintf(leaf[1], sizeof(leaf[1]), "leaf%d", 19 - i);
		add(a, 5, "burn", 2, (const char *[]){leaf[0], "main"});
		add(b, 5, "burn", 2, (const char *[]){leaf[1], "main"});
	}
	sa = svg_of(a, NULL);
	sb = svg_of(b, NULL);
	assert_string_equal(sa, sb);
	free(sa);
	free(sb);
	profile_free(a);
	profile_free(b);
}

static void test_empty_profile_is_a_picture(void **state)
{
	struct profile *p = new_profile();
	char *svg = svg_of(p, NULL);

	(void)state;
	assert_int_equal(count_elements(svg, "g"), 2);
	free(svg);
	profile_free(p);
}

/* --- words -------------------------------------------------------------------------------------- */

static void check_measure(const struct measure *m, int64_t v, int64_t total, const char *want)
{
	struct buf b = {0};

	measure_add(&b, m, v, total);
	assert_string_equal(buf_cstr(&b), want);
	buf_release(&b);
}

static void test_values_in_words(void **state)
{
	struct profile *p = new_profile();
	struct measure m;

	(void)state;
	add(p, 101, "burn", 1, (const char *[]){"main"});
	add(p, 720, "burn", 1, (const char *[]){"other"});
	measure_of(&m, p, 1);
	check_measure(&m, 1010000000, 8210000000, "1.01 s CPU (101 samples, 12.3 %)");
	check_measure(&m, 10000000, 8210000000, "10.0 ms CPU (1 sample, 0.1 %)");
	measure_of(&m, p, 0);
	check_measure(&m, 101, 821, "101 samples (12.3 %)");
	check_measure(&m, 1, 4000, "1 sample (0.025 %)");
	check_measure(&m, 0, 5, "0 samples (0.0 %)");
	check_measure(&m, 7, 0, "7 samples");
	profile_free(p);
}

/* Where a sample's value is not always the same, a number of samples cannot be told. */
static void test_no_sample_count_without_a_common_ratio(void **state)
{
	struct profile *p = new_profile();
	struct measure m;

	(void)state;
	add(p, 100, "burn", 1, (const char *[]){"main"});
	add(p, 100, "burn", 1, (const char *[]){"other"});
	p->values.data[p->samples.data[1].first_value + 1] += 1;
	measure_of(&m, p, 1);
	check_measure(&m, 1000000000, 2000000000, "1.00 s CPU (50.0 %)");
	profile_free(p);
}

static void test_other_units(void **state)
{
	struct profile *p = profile_new();
	struct measure m;

	(void)state;
	assert_int_equal(profile_add_sample_type(p, "alloc_space", "bytes"), 0);
	assert_int_equal(profile_add_sample_type(p, "contentions", "count"), 0);
	assert_int_equal(profile_add_sample_type(p, "delay", "microseconds"), 0);
	assert_int_equal(profile_add_sample_type(p, "mem", "KB"), 0);
	assert_int_equal(profile_add_sample_type(p, "wait", "Sec"), 0);
	assert_int_equal(profile_add_sample_type(p, "sss", "ss"), 0);
	measure_of(&m, p, 0);
	check_measure(&m, 1536, 3072, "1.5 KiB alloc_space (50.0 %)");
	check_measure(&m, 512, 1024, "512 B alloc_space (50.0 %)");
	measure_of(&m, p, 1);
	check_measure(&m, 12345, 12345, "12,345 contentions (100.0 %)");
	measure_of(&m, p, 2);
	check_measure(&m, 2500000, 5000000, "2.50 s delay (50.0 %)");
	measure_of(&m, p, 3);
	check_measure(&m, 3, 4, "3.0 KiB mem (75.0 %)");
	measure_of(&m, p, 4);
	check_measure(&m, 3, 4, "3.00 s wait (75.0 %)");
	measure_of(&m, p, 5);
	check_measure(&m, 3, 4, "3 sss (75.0 %)");
	profile_free(p);
}

static void check_title(const struct profile *p, const char *want)
{
	struct buf b = {0};

	assert_int_equal(describe_title(&b, p), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_release(&b);
}

static void test_titles(void **state)
{
	struct profile *p = new_profile();
	struct buf b = {0};

	(void)state;
	check_title(p, "cpu profile");
	add(p, 1, "cat", 1, (const char *[]){"main"});
	check_title(p, "cat");
	add(p, 2, "burn", 1, (const char *[]){"main"});
	add(p, 1, "ls", 1, (const char *[]){"main"});
	check_title(p, "burn and 2 more");
	p->time_ns = 1795313643000000000;
	p->duration_ns = 10000000000;
	describe_time(&b, p);
	assert_string_equal(buf_cstr(&b), "2026-11-22 02:14:03 UTC, 10.00 s");
	buf_clear(&b);
	describe_range(&b, 1795313643000000000, 1795313643000000000 + 600000000000);
	assert_string_equal(buf_cstr(&b), "2026-11-22 02:14:03 to 02:24:03 UTC");
	buf_clear(&b);
	describe_range(&b, 1795313643000000000, 1795313643000000000 + 86400000000000);
	assert_string_equal(buf_cstr(&b), "2026-11-22 02:14:03 to 2026-11-23 02:14:03 UTC");
	buf_release(&b);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_names_are_text),
		cmocka_unit_test(test_hostile_sample_type_is_text),
		cmocka_unit_test(test_labels_are_cut_between_characters),
		cmocka_unit_test(test_boxes_fill_the_picture_and_stay_in_it),
		cmocka_unit_test(test_same_picture_whatever_the_order),
		cmocka_unit_test(test_empty_profile_is_a_picture),
		cmocka_unit_test(test_values_in_words),
		cmocka_unit_test(test_no_sample_count_without_a_common_ratio),
		cmocka_unit_test(test_other_units),
		cmocka_unit_test(test_titles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
