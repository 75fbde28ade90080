// SPDX-License-Identifier: GPL-2.0-or-later
/* Suffixes, folded stacks and speedscope, against golden files (tests/golden/export.*). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/formats/export.h"
#include "tests/lib/profiles.h"

static void suffixes_name_formats(void **state)
{
	static const struct {
		const char *path;
		int format;
	} cases[] = {
		{"a.pb.gz", EXPORT_PPROF_GZ},
		{"a.pprof", EXPORT_PPROF_GZ},
		{"a.pb.zst", EXPORT_PPROF_ZST},
		{"a.pb", EXPORT_PPROF},
		{"/x/a.folded", EXPORT_FOLDED},
		{"a.txt", EXPORT_FOLDED},
		{"a.svg", EXPORT_SVG},
		{"svg", EXPORT_SVG},
		{"a.html", EXPORT_HTML},
		{"pb.gz", EXPORT_PPROF_GZ},
		{"a.json", EXPORT_SPEEDSCOPE},
		{"speedscope", EXPORT_SPEEDSCOPE},
		{"autofdo", EXPORT_AUTOFDO},
		{"a.gz", -EINVAL},
		{"a", -EINVAL},
		{"", -EINVAL},
		{"a.svg.bak", -EINVAL},
		{"asvg", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(export_format_of(cases[i].path), cases[i].format);
	assert_string_equal(export_suffixes(),
			    ".pb.gz .pb.zst .pb .folded .svg .html .json .autofdo");
	assert_true(export_is_binary(EXPORT_PPROF_ZST));
	assert_false(export_is_binary(EXPORT_FOLDED));
}

/* --- a profile with one of everything --------------------------------------------------------------- */

static uint32_t inlined_location(struct profile *p, uint32_t mapping)
{
	struct profile_function outer = {str_id(p, "run<a;b>"), 0, str_id(p, "src/\"run\".cc"), 40};
	struct profile_line lines[2] = {{function_id(p, "add", "src/add.h"), 3}, {0, 44}};
	uint32_t id;

	MUST(profile_function(p, &outer, &lines[1].function));
	MUST(profile_location(p, mapping, 0x1100, lines, 2, &id));
	return id;
}

static void add(struct profile *p, const uint32_t *frames, size_t n, const char *comm, int64_t pid,
		int64_t count)
{
	struct profile_label labels[2] = {{str_id(p, "pid"), PROFILE_NONE, pid, 0}};
	uint32_t stack, set;

	labels[1] = (struct profile_label){str_id(p, "comm"), str_id(p, comm), 0, 0};
	MUST(profile_stack(p, frames, n, &stack));
	MUST(profile_labelset(p, labels, 2, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){count, count * p->period}));
}

static struct profile *one_of_everything(bool many_processes)
{
	struct profile *p = profile_new();
	uint32_t app, libc, kernel, jit, main, inl, lib, sys, hot, lost;

	MUST(profile_init_cpu(p, 10101010));
	app = mapping_id(p, "/opt/app", "aa", true);
	libc = mapping_id(p, "/lib/libc.so.6", "bb", false);
	kernel = mapping_id(p, MAPPING_KERNEL, "", true);
	jit = mapping_id(p, MAPPING_JIT, "", false);
	main = location_id(p, app, 0x1000, "main");
	inl = inlined_location(p, app);
	lib = location_id(p, libc, 0x1290, NULL);
	sys = location_id(p, kernel, 0, "do_syscall_64");
	hot = location_id(p, jit, 0, "Lfoo;::bar");
	lost = location_id(p, mapping_id(p, MAPPING_KILN, "", true), 0, FRAME_LOST);
	add(p, (uint32_t[]){inl, main}, 2, "app", 10, 3);
	add(p, (uint32_t[]){sys, lib, main}, 3, "app", 10, 2);
	add(p, (uint32_t[]){hot, main}, 2, "app", many_processes ? 11 : 10, 7);
	add(p, (uint32_t[]){inl, main}, 2, "app", many_processes ? 11 : 10, 4);
	add(p, (uint32_t[]){sys}, 1, "kworker/0:1", many_processes ? 5 : 10, 1);
	add(p, (uint32_t[]){lost}, 1, "", 10, 1);
	return p;
}

/* UPDATE_GOLDEN=1 writes the file instead; look at the difference before committing it. */
static void assert_golden(const char *path, struct buf *got)
{
	_cleanup_free_ char *want = NULL;
	size_t len;

	if (getenv("UPDATE_GOLDEN")) {
		_cleanup_fclose_ FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_int_equal(fwrite(got->data, 1, got->len, f), got->len);
		return;
	}
	assert_int_equal(io_read_file(path, 1 << 20, &want, &len), 0);
	assert_string_equal(buf_cstr(got), want);
}

static void assert_export(const char *golden, bool many_processes, enum export_format format,
			  const struct export_opts *opts)
{
	struct profile *p = one_of_everything(many_processes);
	struct buf b = {0};

	assert_int_equal(export_profile(&b, p, format, opts), 0);
	assert_golden(golden, &b);
	buf_release(&b);
	profile_free(p);
}

static void folded_is_as_it_was(void **state)
{
	struct export_opts all = {.folded_ns = true, .folded_delim = true, .folded_annotate = true};

	(void)state;
	assert_export("tests/golden/export.folded", true, EXPORT_FOLDED, NULL);
	assert_export("tests/golden/export-annotated.folded", true, EXPORT_FOLDED, &all);
}

static void speedscope_is_as_it_was(void **state)
{
	struct export_opts titled = {.title = "a \"title\""};

	(void)state;
	assert_export("tests/golden/export-types.speedscope.json", false, EXPORT_SPEEDSCOPE, NULL);
	assert_export("tests/golden/export-processes.speedscope.json", true, EXPORT_SPEEDSCOPE,
		      &titled);
}

static void values_below_zero_are_left_out(void **state)
{
	struct profile *p = profile_new();
	_cleanup_(buf_release) struct buf folded = {0}, scope = {0}, raw = {0};
	struct profile *back = NULL;
	const char *why = NULL;
	uint32_t map, grew, shrank;

	(void)state;
	MUST(profile_init_cpu(p, 10));
	map = mapping_id(p, "/bin/app", "", true);
	grew = location_id(p, map, 1, "grew");
	shrank = location_id(p, map, 2, "shrank");
	add(p, &grew, 1, "app", 1, 100);
	add(p, &grew, 1, "app", 2, -30);
	add(p, &shrank, 1, "app", 1, -5);
	MUST(export_profile(&folded, p, EXPORT_FOLDED, NULL));
	assert_string_equal(buf_cstr(&folded), "app;grew 70\n");
	MUST(export_profile(&scope, p, EXPORT_SPEEDSCOPE, NULL));
	assert_non_null(strstr(buf_cstr(&scope), "\"weights\":[1000]"));
	assert_null(strstr(buf_cstr(&scope), "[-"));
	assert_null(strstr(buf_cstr(&scope), ",-"));
	MUST(export_profile(&raw, p, EXPORT_PPROF, NULL));
	MUST(import_pprof(&back, raw.data, raw.len, &why));
	assert_int_equal(profile_weight(back), 65);
	assert_true(export_leaves_out(p, EXPORT_SVG));
	assert_false(export_leaves_out(p, EXPORT_PPROF_GZ));
	assert_false(export_leaves_out(p, EXPORT_HTML));
	profile_free(back);
	profile_free(p);
}

/* --- properties ---------------------------------------------------------------------------------------- */

static int64_t folded_total(const char *text)
{
	int64_t total = 0;

	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		const char *space = memrchr(line, ' ', (size_t)(end - line));

		assert_non_null(space);
		total += strtoll(space, NULL, 10);
	}
	return total;
}

/* Every line once, in the order of the bytes or not, but never twice. */
static void assert_lines_differ(char *text)
{
	char *previous = NULL, *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		*strrchr(l, ' ') = '\0';
		assert_true(!previous || strcmp(previous, l));
		previous = l;
	}
}

static void folded_keeps_totals(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct profile *p = random_profile(seed, 100);
		struct export_opts ns = {.folded_ns = true};
		struct buf counts = {0}, times = {0};

		assert_int_equal(export_profile(&counts, p, EXPORT_FOLDED, NULL), 0);
		assert_int_equal(export_profile(&times, p, EXPORT_FOLDED, &ns), 0);
		assert_int_equal(folded_total(buf_cstr(&counts)), total_of_type(p, 0));
		assert_int_equal(folded_total(buf_cstr(&times)), total_of_type(p, 1));
		assert_lines_differ((char *)buf_cstr(&counts));
		buf_release(&counts);
		buf_release(&times);
		profile_free(p);
	}
}

/* The numbers of every "key":[...] list of plain numbers added up. */
static int64_t json_list_total(const char *json, const char *key)
{
	int64_t total = 0;
	char pattern[32];

	snprintf(pattern, sizeof(pattern), "\"%s\":[", key);
	for (const char *s = json; (s = strstr(s, pattern));) {
		char *end;

		for (s += strlen(pattern); *s != ']'; s = *end == ',' ? end + 1 : end)
			total += strtoll(s, &end, 10);
	}
	return total;
}

static void speedscope_keeps_totals(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct profile *p = random_profile(seed, 100);
		struct buf b = {0};
		const char *json;

		assert_int_equal(export_profile(&b, p, EXPORT_SPEEDSCOPE, NULL), 0);
		json = buf_cstr(&b);
		if (strstr(json, "\"name\":\"samples\"")) /* one per type */
			assert_int_equal(json_list_total(json, "weights"),
					 total_of_type(p, 0) + total_of_type(p, 1));
		else
			/* once in everything, once in its process */
			assert_int_equal(json_list_total(json, "weights"), 2 * total_of_type(p, 1));
		buf_release(&b);
		profile_free(p);
	}
}

/* Of each half a tree can be drawn, of both together no node has a width. */
static void sums_that_do_not_fit_are_told(void **state)
{
	struct profile *p = random_profile(1, 3);
	struct buf b = {0};
	int err;

	(void)state;
	for (size_t i = 0; i < p->values.len; i++)
		p->values.data[i] = INT64_MAX / 2 + 1;
	err = export_profile(&b, p, EXPORT_HTML, NULL);
	assert_string_equal(export_strerror(err),
			    "the values of the profile add up to more than 63 bits hold");
	buf_release(&b);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suffixes_name_formats),
		cmocka_unit_test(folded_is_as_it_was),
		cmocka_unit_test(values_below_zero_are_left_out),
		cmocka_unit_test(speedscope_is_as_it_was),
		cmocka_unit_test(folded_keeps_totals),
		cmocka_unit_test(speedscope_keeps_totals),
		cmocka_unit_test(sums_that_do_not_fit_are_told),
	};

	return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
