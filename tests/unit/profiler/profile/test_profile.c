// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "tests/lib/profiles.h"

static struct profile *new_cpu(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 1000), 0);
	return p;
}

static void equal_things_have_equal_ids(void **state)
{
	struct profile *p = new_cpu();
	uint32_t m = mapping_id(p, "/bin/x", "aa", false), a, b, set1, set2;
	struct profile_label labels[2] = {{str_id(p, "pid"), PROFILE_NONE, 7, 0},
					  {str_id(p, "comm"), str_id(p, "x"), 99, 0}};

	(void)state;
	assert_int_equal(m, mapping_id(p, "/bin/x", "aa", false));
	assert_int_not_equal(m, mapping_id(p, "/bin/x", "bb", false));
	a = location_id(p, m, 16, "f");
	assert_int_equal(a, location_id(p, m, 16, "f"));
	assert_int_not_equal(a, location_id(p, m, 17, "f"));
	assert_int_not_equal(a, location_id(p, m, 16, NULL));
	assert_int_not_equal(a, location_id(p, PROFILE_NONE, 16, "f"));
	assert_int_equal(p->functions.len, 1);
	b = location_id(p, m, 17, "f");
	assert_int_equal(profile_stack(p, (uint32_t[]){a, b}, 2, &set1), 0);
	assert_int_equal(profile_stack(p, (uint32_t[]){a, b}, 2, &set2), 0);
	assert_int_equal(set1, set2);
	assert_int_equal(profile_stack(p, (uint32_t[]){b, a}, 2, &set2), 0);
	assert_int_not_equal(set1, set2);
	/* label order does not matter, nor does a number beside a text */
	assert_int_equal(profile_labelset(p, labels, 2, &set1), 0);
	labels[0] = (struct profile_label){str_id(p, "comm"), str_id(p, "x"), 0, 0};
	labels[1] = (struct profile_label){str_id(p, "pid"), PROFILE_NONE, 7, 0};
	assert_int_equal(profile_labelset(p, labels, 2, &set2), 0);
	assert_int_equal(set1, set2);
	labels[1].num = 8;
	assert_int_equal(profile_labelset(p, labels, 2, &set2), 0);
	assert_int_not_equal(set1, set2);
	profile_free(p);
}

static void labels_are_sorted_found_and_never_empty(void **state)
{
	struct profile *p = new_cpu();
	struct profile_label labels[] = {{str_id(p, "unit"), str_id(p, "a.service"), 0, 0},
					 {str_id(p, "comm"), 0, 0, 0},
					 {str_id(p, "pid"), PROFILE_NONE, 0, 0}};
	uint32_t set, none;

	(void)state;
	assert_int_equal(profile_labelset(p, labels, 3, &set), 0);
	assert_int_equal(p->labelsets.data[set].len, 2);
	assert_string_equal(profile_text(p, p->labels.data[0].key), "pid");
	assert_int_equal(profile_find_label(p, set, "pid")->num, 0);
	assert_null(profile_find_label(p, set, "comm"));
	assert_null(profile_find_label(p, 1234, "pid"));
	assert_int_equal(profile_labelset(p, labels + 1, 1, &set), 0);
	assert_int_equal(profile_labelset(p, NULL, 0, &none), 0);
	assert_int_equal(set, none);
	profile_free(p);
}

static void samples_add_up_and_saturate(void **state)
{
	struct profile *p = new_cpu();
	uint32_t l = location_id(p, PROFILE_NONE, 1, "f"), stack, set;

	(void)state;
	MUST(profile_stack(p, &l, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	assert_int_equal(profile_add(p, stack, set, (int64_t[]){1, 1000}), 0);
	assert_int_equal(profile_add(p, stack, set, (int64_t[]){2, INT64_MAX}), 0);
	assert_int_equal(p->samples.len, 1);
	assert_int_equal(p->values.data[0], 3);
	assert_int_equal(p->values.data[1], INT64_MAX);
	profile_free(p);
}

static void bad_ids_are_refused(void **state)
{
	struct profile *p = new_cpu();
	struct profile_mapping m = {.file = 999};
	struct profile_function f = {.name = 999};
	struct profile_line line = {0, 1};
	struct profile_label label = {.key = 999, .str = PROFILE_NONE};
	uint32_t id, bad = 5;

	(void)state;
	assert_int_equal(profile_mapping(p, &m, &id), -EINVAL);
	assert_int_equal(profile_function(p, &f, &id), -EINVAL);
	assert_int_equal(profile_location(p, 0, 1, NULL, 0, &id), -EINVAL);
	assert_int_equal(profile_location(p, PROFILE_NONE, 1, &line, 1, &id), -EINVAL);
	assert_int_equal(profile_stack(p, &bad, 1, &id), -EINVAL);
	assert_int_equal(profile_labelset(p, &label, 1, &id), -EINVAL);
	assert_int_equal(profile_add(p, 0, 0, (int64_t[]){1, 1}), -EINVAL);
	MUST(profile_stack(p, NULL, 0, &id));
	MUST(profile_labelset(p, NULL, 0, &id));
	MUST(profile_add(p, 0, 0, (int64_t[]){1, 1}));
	assert_int_equal(profile_add_sample_type(p, "late", "count"), -EINVAL);
	profile_free(p);
}

static void text_is_cleaned_on_the_way_in(void **state)
{
	struct profile *p = new_cpu();

	(void)state;
	assert_string_equal(profile_text(p, str_id(p, "a\nb\xff")), "a\xef\xbf\xbd"
								    "b\xef\xbf\xbd");
	assert_string_equal(profile_text(p, str_id(p, "ip_rcv\t[ip]")), "ip_rcv [ip]");
	profile_free(p);
}

static void the_default_type_is_the_named_one_or_the_last(void **state)
{
	struct profile *p = profile_new();

	(void)state;
	assert_int_equal(profile_default_type(p), 0);
	MUST(profile_add_sample_type(p, "alloc", "bytes"));
	MUST(profile_add_sample_type(p, "inuse", "bytes"));
	assert_int_equal(profile_default_type(p), 1);
	p->default_sample_type = str_id(p, "alloc");
	assert_int_equal(profile_default_type(p), 0);
	p->default_sample_type = str_id(p, "gone");
	assert_int_equal(profile_default_type(p), 1);
	profile_free(p);
}

static void frames_have_kinds_and_modules(void **state)
{
	static const struct {
		const char *file, *module, *unresolved;
		enum frame_kind kind;
	} cases[] = {
		{"/usr/lib/libc.so.6", "libc.so.6", "[libc.so.6]+0x1290", FRAME_NATIVE},
		{"app", "app", "[app]+0x1290", FRAME_NATIVE},
		{"/srv/[kernel]", "/[kernel]", "[/[kernel]]+0x1290", FRAME_NATIVE},
		{"/odd/", "/odd/", "[/odd/]+0x1290", FRAME_NATIVE},
		{MAPPING_KERNEL, "[kernel]", "[kernel]+0x1290", FRAME_KERNEL},
		{"[kernel.kallsyms]_stext", "[kernel]", "[kernel]+0x1290", FRAME_KERNEL},
		{"[ext4]", "[ext4]", "[ext4]+0x1290", FRAME_KERNEL},
		{MAPPING_VDSO, "[vdso]", "[vdso]+0x1290", FRAME_NATIVE},
		{MAPPING_JIT, "[jit]", "[jit]+0x1290", FRAME_JIT},
		{"//anon", "[jit]", "[jit]+0x1290", FRAME_JIT},
		{MAPPING_UNKNOWN, "[unknown]", "[unknown]", FRAME_UNKNOWN},
		{MAPPING_KILN, "[kiln]", "[kiln]", FRAME_SYNTHETIC},
		{"", "[unknown]", "[unknown]+0x1290", FRAME_NATIVE},
	};
	struct profile *p = new_cpu();
	char text[64];
	uint32_t l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t m = mapping_id(p, cases[i].file, "", false);

		l = location_id(p, m, 0x1290, NULL);
		assert_string_equal(profile_module(p, m), cases[i].module);
		assert_int_equal(profile_frame_kind(p, l), cases[i].kind);
		assert_string_equal(profile_unresolved(p, l, text, sizeof(text)),
				    cases[i].unresolved);
	}
	l = location_id(p, PROFILE_NONE, 0x1290, NULL);
	assert_int_equal(profile_frame_kind(p, l), FRAME_UNKNOWN);
	assert_string_equal(profile_unresolved(p, l, text, sizeof(text)), "[unknown]");
	l = location_id(p, mapping_id(p, MAPPING_KERNEL, "", false), 0, NULL);
	assert_string_equal(profile_unresolved(p, l, text, sizeof(text)), "[kernel]");
	/* a long name is cut between characters */
	l = location_id(p,
			mapping_id(p, "/a\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "", 0),
			0x12, NULL);
	assert_string_equal(profile_unresolved(p, l, text, 32),
			    "[a\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9]+0x12");
	profile_free(p);
}

static enum frame_kind kind_of_mapping(struct profile *p, const char *file, const char *build_id,
				       uint64_t start, uint64_t limit)
{
	struct profile_mapping m = {.start = start,
				    .limit = limit,
				    .file = str_id(p, file),
				    .build_id = str_id(p, build_id)};
	uint32_t id;

	MUST(profile_mapping(p, &m, &id));
	return profile_mapping_kind(p, id);
}

/* Whoever makes a program chooses its path. */
static void programs_are_programs_wherever_they_lie(void **state)
{
	const uint64_t module = 0xffffffffc0000000, memory = 0x7f0000000000;
	struct profile *p = new_cpu();

	(void)state;
	assert_int_equal(kind_of_mapping(p, "/memfd:app", "", 0, 0), FRAME_JIT);
	assert_int_equal(kind_of_mapping(p, "/memfd:app", "ab12", 0, 0), FRAME_NATIVE);
	assert_int_equal(kind_of_mapping(p, "/memfd:app", "", 0x1000, 0x2000), FRAME_NATIVE);
	assert_int_equal(kind_of_mapping(p, "/memfd:app", "", memory, memory + 4096), FRAME_JIT);
	assert_int_equal(kind_of_mapping(p, "/lib/modules/6.1/x.ko", "", module, module + 4096),
			 FRAME_KERNEL);
	assert_int_equal(kind_of_mapping(p, "/lib/modules/6.1/x.ko", "", 0, 0), FRAME_KERNEL);
	assert_int_equal(kind_of_mapping(p, "/lib/modules/6.1/x", "", 0x401000, 0x402000),
			 FRAME_NATIVE);
	assert_int_equal(kind_of_mapping(p, "/lib/modules/6.1/x.ko", "", 0, UINT64_MAX),
			 FRAME_KERNEL);
	assert_int_equal(kind_of_mapping(p, "[x]", "", 0x401000, 0x402000), FRAME_KERNEL);
	profile_free(p);
}

static void libraries_are_told_by_their_names(void **state)
{
	static const char *const libraries[] = {"libc.so.6", "libc-2.31.so", "x.so",
						"a.sort.so", "libx.so-1",    "x.so (deleted)"};
	static const char *const programs[] = {"my.solver", "game.sound", "app", "x.so_old",
					       "x.so2",	    "",		  "so"};

	(void)state;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++)
		assert_true(profile_module_is_library(libraries[i]));
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		assert_false(profile_module_is_library(programs[i]));
}

static void names_made_of_the_modules_are_told(void **state)
{
	static const struct {
		const char *name, *module;
		bool bare;
	} cases[] = {
		{"[app]", "app", true},		{"app+0x1290", "app", true},
		{"[app]+0xFf", "app", true},	{"[jit]", "[jit]", true},
		{"[jit]+0x7f0", "[jit]", true}, {"app", "app", false},
		{"app+sub_1290", "app", false}, {"[app", "app", false},
		{"[app]x", "app", false},	{"app+0x", "app", false},
		{"app+0x12g", "app", false},	{"[app]+12", "app", false},
		{"[other]", "app", false},	{"other+0x1290", "app", false},
		{"[]", "app", false},		{"", "app", false},
		{"apps+0x12", "app", false},	{"[lost samples]", "[kiln]", false},
		{"[[jit]]", "[jit]", false},	{"jit", "[jit]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (profile_name_is_bare(cases[i].name, cases[i].module) != cases[i].bare)
			fail_msg("'%s' of '%s'", cases[i].name, cases[i].module);
}

static void windows_join_what_they_know_of_a_mapping(void **state)
{
	struct profile *p = new_cpu();
	struct profile_mapping m = {.start = 0x1000,
				    .limit = 0x2000,
				    .file = str_id(p, "/bin/x"),
				    .build_id = str_id(p, "aa")};
	uint32_t plain, flagged, joined, other;

	(void)state;
	MUST(profile_mapping_joined(p, &m, &plain));
	assert_false(p->mappings.data[plain].has_functions);
	m.has_functions = true;
	MUST(profile_mapping_joined(p, &m, &joined));
	assert_int_equal(joined, plain);
	m.has_functions = false;
	m.has_filenames = true;
	MUST(profile_mapping_joined(p, &m, &joined));
	m.has_filenames = false;
	m.has_line_numbers = true;
	MUST(profile_mapping_joined(p, &m, &joined));
	m.has_line_numbers = false;
	m.has_inline_frames = true;
	MUST(profile_mapping_joined(p, &m, &joined));
	assert_int_equal(joined, plain);
	assert_int_equal(p->mappings.len, 1);
	assert_true(p->mappings.data[plain].has_functions &&
		    p->mappings.data[plain].has_filenames &&
		    p->mappings.data[plain].has_line_numbers &&
		    p->mappings.data[plain].has_inline_frames);
	/* what differs in more than that is another */
	for (int i = 0; i < 5; i++) {
		struct profile_mapping n = m;

		*(i == 0 ? &n.start : i == 1 ? &n.limit : &n.offset) += i < 3;
		n.file = i == 3 ? str_id(p, "/bin/y") : n.file;
		n.build_id = i == 4 ? str_id(p, "bb") : n.build_id;
		MUST(profile_mapping_joined(p, &n, &other));
		assert_int_equal(other, i + 1);
	}
	/* as such, flags tell mappings apart */
	m.has_inline_frames = false;
	MUST(profile_mapping(p, &m, &flagged));
	assert_int_not_equal(flagged, plain);
	profile_free(p);
}

/* --- quality -------------------------------------------------------------------------------------- */

static void add_blame(struct quality *q, const char *module, const char *hint, uint64_t unnamed)
{
	struct quality_blame b = {.module = strdup(module),
				  .frames = 1000,
				  .unnamed = unnamed,
				  .hint = hint ? strdup(hint) : NULL};

	MUST(vec_push(&q->blame, b));
}

static void quality_survives_as_comments(void **state)
{
	struct profile *p = new_cpu();
	struct quality q = {.expected = 100, .recorded = 90, .idle = 5, .frames = UINT64_MAX},
		       got = {0};

	(void)state;
	assert_int_equal(quality_load(&got, p), -ENODATA);
	MUST(profile_comment(p, "kiln.event=cpu-clock"));
	MUST(profile_comment(p, "kiln.blame=not ours"));
	assert_int_equal(quality_load(&got, p), -ENODATA);
	q.lost[LOSS_map_full] = 3;
	q.lost[LOSS_memory] = 1;
	add_blame(&q, "/opt/a \"b\\/c\" 1 2", "install \"it\"", 7);
	add_blame(&q, "libx.so", NULL, 6);
	assert_int_equal(quality_store(p, &q), 0);
	assert_int_equal(quality_store(p, &q), 0); /* replaces */
	assert_int_equal(quality_load(&got, p), 0);
	assert_int_equal(got.expected, 100);
	assert_int_equal(got.frames, UINT64_MAX);
	assert_int_equal(got.lost[LOSS_map_full], 3);
	assert_int_equal(quality_lost(&got), 4);
	assert_int_equal(quality_unaccounted(&got), 1);
	assert_int_equal(got.blame.len, 2);
	assert_string_equal(got.blame.data[0].module, "/opt/a \"b\\/c\" 1 2");
	assert_string_equal(got.blame.data[0].hint, "install \"it\"");
	assert_int_equal(got.blame.data[0].frames, 1000);
	assert_int_equal(got.blame.data[0].unnamed, 7);
	assert_null(got.blame.data[1].hint);
	/* 4 numbers, 2 losses, 2 blamed, and the event that was there before */
	assert_int_equal(p->comments.len, 9);
	assert_string_equal(profile_text(p, p->comments.data[0]), "kiln.event=cpu-clock");
	quality_release(&got);
	quality_release(&q);
	profile_free(p);
}

static void malformed_quality_is_passed_over(void **state)
{
	static const char *const bad[] = {"kiln.expected=",
					  "kiln.expected=-1",
					  "kiln.expected=1x",
					  "kiln.lost.nothing=1",
					  "kiln.blame=",
					  "kiln.blame=1 2",
					  "kiln.blame=1 2 3 x",
					  "kiln.blame=1 2 3 \"x",
					  "kiln.blame=1 2 3 \"x\\",
					  "kiln.blame=99999999999999999999 1 1 \"x\"",
					  "kiln.blame=1 2 3 \"x\"y",
					  "kiln.expected=99999999999999999999"};
	struct profile *p = new_cpu();
	struct quality q = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		MUST(profile_comment(p, bad[i]));
	assert_int_equal(quality_load(&q, p), -ENODATA);
	MUST(profile_comment(p, "kiln.idle=4"));
	assert_int_equal(quality_load(&q, p), 0);
	assert_int_equal(q.idle, 4);
	assert_int_equal(q.blame.len, 0);
	quality_release(&q);
	profile_free(p);
}

static void blame_is_capped(void **state)
{
	struct profile *p = new_cpu();
	struct quality q = {0}, more = {0}, got = {0};
	char name[32];

	(void)state;
	for (int i = 0; i < 2 * QUALITY_MAX_BLAME; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		add_blame(i & 1 ? &q : &more, name, "h", (uint64_t)i);
	}
	assert_int_equal(quality_merge(&q, &more), 0);
	assert_int_equal(q.blame.len, QUALITY_MAX_BLAME);
	assert_string_equal(q.blame.data[0].module, "m127");
	MUST(quality_store(p, &q));
	MUST(profile_comment(p, "kiln.blame=1 1 1 \"one more\""));
	assert_int_equal(quality_load(&got, p), 0);
	assert_int_equal(got.blame.len, QUALITY_MAX_BLAME);
	quality_release(&q);
	quality_release(&more);
	quality_release(&got);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_things_have_equal_ids),
		cmocka_unit_test(labels_are_sorted_found_and_never_empty),
		cmocka_unit_test(samples_add_up_and_saturate),
		cmocka_unit_test(bad_ids_are_refused),
		cmocka_unit_test(text_is_cleaned_on_the_way_in),
		cmocka_unit_test(the_default_type_is_the_named_one_or_the_last),
		cmocka_unit_test(frames_have_kinds_and_modules),
		cmocka_unit_test(programs_are_programs_wherever_they_lie),
		cmocka_unit_test(libraries_are_told_by_their_names),
		cmocka_unit_test(names_made_of_the_modules_are_told),
		cmocka_unit_test(windows_join_what_they_know_of_a_mapping),
		cmocka_unit_test(quality_survives_as_comments),
		cmocka_unit_test(malformed_quality_is_passed_over),
		cmocka_unit_test(blame_is_capped),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
