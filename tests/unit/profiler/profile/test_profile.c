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
		{"/odd/", "/odd/", "[/odd/]+0x1290", FRAME_NATIVE},
		{MAPPING_KERNEL, "[kernel]", "[kernel]+0x1290", FRAME_KERNEL},
		{"[kernel.kallsyms]_stext", "[kernel]", "[kernel]+0x1290", FRAME_KERNEL},
		{"[ext4]", "[ext4]", "[ext4]+0x1290", FRAME_KERNEL},
		{"/lib/modules/6.1/ext4.ko", "ext4.ko", "[ext4.ko]+0x1290", FRAME_KERNEL},
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

/* --- merging and filtering ----------------------------------------------------------------------- */

static struct profile *merged(const struct profile *const *parts, size_t n)
{
	struct profile *p = profile_new();
	const char *why;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(profile_merge(p, parts[i], &why), 0);
	return p;
}

static void merging_into_nothing_copies(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *a = random_profile(seed, 50);
		struct profile *copy = merged((const struct profile *[]){a}, 1);
		char *want = print_profile(a), *got = print_profile(copy);

		assert_string_equal(got, want);
		free(want);
		free(got);
		profile_free(a);
		profile_free(copy);
	}
}

static void merging_is_associative(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *a = random_profile(3 * seed, 40), *b = random_profile(3 * seed, 60);
		struct profile *c = random_profile(3 * seed + 2, 30);
		struct profile *ab = merged((const struct profile *[]){a, b}, 2);
		struct profile *bc = merged((const struct profile *[]){b, c}, 2);
		struct profile *left = merged((const struct profile *[]){ab, c}, 2);
		struct profile *right = merged((const struct profile *[]){a, bc}, 2);
		char *l, *r;

		l = print_profile(left);
		r = print_profile(right);
		assert_string_equal(strstr(l, "\n#"), strstr(r, "\n#"));
		assert_int_equal(total_of_type(left, 0),
				 total_of_type(a, 0) + total_of_type(b, 0) + total_of_type(c, 0));
		/* a's samples are b's first ones: they must have met, not stand side by side */
		assert_true(ab->samples.len < a->samples.len + b->samples.len);
		free(l);
		free(r);
		for (struct profile **p = (struct profile *[]){a, b, c, ab, bc, left, right, NULL};
		     *p; p++)
			profile_free(*p);
	}
}

static void merged_time_spans_both(void **state)
{
	static const struct {
		int64_t t1, d1, t2, d2, time, duration;
	} cases[] = {
		{100, 10, 110, 10, 100, 20}, /* one after the other */
		{110, 10, 100, 10, 100, 20}, /* in whatever order */
		{100, 10, 150, 10, 100, 20}, /* the gap is not covered */
		{100, 10, 105, 10, 100, 15}, /* overlapping */
		{100, 50, 110, 10, 100, 50}, /* inside */
		{0, 10, 110, 10, 110, 20},   /* start unknown */
		{100, 10, 0, 10, 100, 20},
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile *a = new_cpu(), *b = new_cpu();

		a->time_ns = cases[i].t1;
		a->duration_ns = cases[i].d1;
		b->time_ns = cases[i].t2;
		b->duration_ns = cases[i].d2;
		assert_int_equal(profile_merge(a, b, &why), 0);
		assert_int_equal(a->time_ns, cases[i].time);
		assert_int_equal(a->duration_ns, cases[i].duration);
		profile_free(a);
		profile_free(b);
	}
}

static void merged_time_does_not_depend_on_the_order(void **state)
{
	static const struct {
		int64_t t[4], d[4], time, duration;
	} cases[] = {
		{{100, 150, 110, 120}, {10, 10, 10, 10}, 100, 40}, /* the gap is filled later */
		{{150, 100, 110, 500}, {10, 10, 30, 5}, 100, 55},
		{{100, 200, 105, 195}, {10, 10, 100, 1}, 100, 110}, /* one joins two */
		{{100, 150, 0, 110}, {10, 10, 7, 10}, 100, 37},	    /* one of unknown time */
	};
	static const int orders[][4] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {1, 0, 3, 2}};
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t k = 0; k < sizeof(orders) / sizeof(*orders); k++) {
			struct profile *all = new_cpu();

			for (int j = 0; j < 4; j++) {
				struct profile *p = new_cpu();

				p->time_ns = cases[i].t[orders[k][j]];
				p->duration_ns = cases[i].d[orders[k][j]];
				assert_int_equal(profile_merge(all, p, &why), 0);
				profile_free(p);
			}
			assert_int_equal(all->time_ns, cases[i].time);
			assert_int_equal(all->duration_ns, cases[i].duration);
			profile_free(all);
		}
	}
}

static void many_spans_close_their_gaps(void **state)
{
	struct spans s = {0};

	(void)state;
	for (int64_t i = 1; i <= SPANS_MAX; i++)
		assert_int_equal(spans_add(&s, 100 * i, 10), 0);
	assert_int_equal(spans_total(&s), 10 * SPANS_MAX);
	assert_int_equal(spans_add(&s, 115, 10), 0); /* 5 behind the first, 75 before the second */
	assert_int_equal(s.v.len, SPANS_MAX);
	assert_int_equal(s.gaps_closed, 1);
	assert_int_equal(spans_total(&s), 10 * SPANS_MAX + 15);
	spans_release(&s);
}

static void different_types_do_not_merge(void **state)
{
	struct profile *a = new_cpu(), *b = profile_new(), *c = new_cpu();
	const char *why = NULL;

	(void)state;
	MUST(profile_add_sample_type(b, "alloc", "bytes"));
	assert_int_equal(profile_merge(a, b, &why), -EINVAL);
	assert_string_equal(why, "the profiles have different sample types");
	c->period_type.type = str_id(c, "cycles");
	assert_int_equal(profile_merge(a, c, &why), -EINVAL);
	assert_string_equal(why, "the profiles were sampled by different events");
	profile_free(a);
	profile_free(b);
	profile_free(c);
}

static bool keep_some(void *ctx, const struct profile *src, size_t sample)
{
	(void)src;
	return (sample % 3 == 0) == *(bool *)ctx;
}

static void a_filter_and_its_complement_make_the_whole(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *p = random_profile(seed, 60), *some, *rest, *both;
		char *want, *got;
		bool yes = true, no = false;

		assert_int_equal(profile_filter(&some, p, keep_some, &yes), 0);
		assert_int_equal(profile_filter(&rest, p, keep_some, &no), 0);
		assert_int_equal(some->samples.len, (p->samples.len + 2) / 3);
		assert_int_equal(some->samples.len + rest->samples.len, p->samples.len);
		both = merged((const struct profile *[]){some, rest}, 2);
		want = print_profile(p);
		got = print_profile(both);
		assert_string_equal(got, want);
		free(want);
		free(got);
		profile_free(p);
		profile_free(some);
		profile_free(rest);
		profile_free(both);
	}
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

static void merging_adds_quality(void **state)
{
	struct profile *a = new_cpu(), *b = new_cpu(), *plain = new_cpu(), *all;
	struct quality q = {.expected = 10, .recorded = 10}, got = {0};

	(void)state;
	add_blame(&q, "x", "do", 5);
	add_blame(&q, "y", NULL, 4);
	MUST(quality_store(a, &q));
	q.blame.data[1].unnamed = 40;
	q.lost[LOSS_cpu_gap] = 2;
	MUST(quality_store(b, &q));
	all = merged((const struct profile *[]){a, plain, b}, 3);
	assert_int_equal(quality_load(&got, all), 0);
	assert_int_equal(got.expected, 20);
	assert_int_equal(got.lost[LOSS_cpu_gap], 2);
	assert_int_equal(got.blame.len, 2);
	assert_string_equal(got.blame.data[0].module, "y");
	assert_int_equal(got.blame.data[0].unnamed, 44);
	assert_string_equal(got.blame.data[1].hint, "do");
	assert_int_equal(all->comments.len, 5);
	quality_release(&got);
	quality_release(&q);
	profile_free(a);
	profile_free(b);
	profile_free(plain);
	profile_free(all);
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
		cmocka_unit_test(merging_into_nothing_copies),
		cmocka_unit_test(merging_is_associative),
		cmocka_unit_test(merged_time_spans_both),
		cmocka_unit_test(merged_time_does_not_depend_on_the_order),
		cmocka_unit_test(many_spans_close_their_gaps),
		cmocka_unit_test(different_types_do_not_merge),
		cmocka_unit_test(a_filter_and_its_complement_make_the_whole),
		cmocka_unit_test(quality_survives_as_comments),
		cmocka_unit_test(malformed_quality_is_passed_over),
		cmocka_unit_test(merging_adds_quality),
		cmocka_unit_test(blame_is_capped),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
