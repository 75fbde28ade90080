// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters of profiles: by hand, and on random profiles against a plain reading of what they are to do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/profile/transform.h"
#include "tests/lib/profiles.h"

/* Adds a sample whose stack is "root;middle+inlined;leaf": "+" joins the lines of one location. */
static void add(struct profile *p, const char *stack, int64_t value)
{
	char text[256], *frame, *rest = text;
	uint32_t frames[16], n = 16, id, set;

	snprintf(text, sizeof(text), "%s", stack);
	while ((frame = strsep(&rest, ";"))) {
		uint32_t module =
			mapping_id(p, *frame == '@' ? "/lib/libc.so.6" : "/bin/app", "", true);
		struct profile_line lines[8];
		uint64_t address = 0;
		size_t first = 8;
		char *name;

		for (const char *c = frame; *c; c++)
			address = address * 131 + (unsigned char)*c;
		while ((name = strsep(&frame, "+")))
			if (*name && strcmp(name, "@") != 0)
				lines[--first] = (struct profile_line){function_id(p, name, ""), 0};
		MUST(profile_location(p, module, address, lines + first, 8 - first, &frames[--n]));
	}
	MUST(profile_stack(p, frames + n, 16 - n, &id));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, id, set, (int64_t[]){value, value * 10}));
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(profile_init_cpu(p, 10));
	return p;
}

static void print(struct buf *b, const struct profile *p)
{
	buf_clear(b);
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_stack *s = &p->stacks.data[p->samples.data[i].stack];

		buf_str(b, i ? " | " : "");
		for (uint32_t k = s->len; k-- > 0;) {
			const struct profile_location *l =
				&p->locations.data[p->frames.data[s->first + k]];

			for (uint32_t j = l->n_lines; j-- > 0;) {
				uint32_t f = p->lines.data[l->first_line + j].function;

				buf_str(b, profile_text(p, p->functions.data[f].name));
				buf_str(b, j ? "+" : "");
			}
			buf_str(b, l->n_lines ? "" : "?");
			buf_str(b, k ? ";" : "");
		}
		buf_printf(b, " %d", (int)p->values.data[p->samples.data[i].first_value]);
	}
}

static struct profile *apply(struct transform *t, const struct profile *p)
{
	struct profile *out = NULL;

	assert_int_equal(transform_apply(t, p, &out), 0);
	return out;
}

static void add_pattern(struct transform *t, enum transform_kind kind, const char *regex)
{
	const char *why = NULL;

	assert_int_equal(transform_add(t, kind, regex, &why), 0);
}

static void check(const struct profile *p, struct transform *t, const char *expected)
{
	struct profile *out = apply(t, p);
	struct buf b = {0};

	print(&b, out);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
	profile_free(out);
	transform_release(t);
	*t = (struct transform){0};
}

static struct profile *sorter(void)
{
	struct profile *p = new_profile();

	add(p, "main;sort+cmp;@swap", 1);
	add(p, "main;fib;fib;fib", 2);
	add(p, "main;sort+cmp", 4);
	add(p, "other;@", 8);
	return p;
}

static void samples_are_selected(void **state)
{
	struct profile *p = sorter();
	struct transform t = {0};

	(void)state;
	assert_false(transform_is_set(&t));
	add_pattern(&t, TRANSFORM_FOCUS, "^cmp$");
	assert_true(transform_is_set(&t));
	check(p, &t, "main;sort+cmp;@swap 1 | main;sort+cmp 4");
	add_pattern(&t, TRANSFORM_FOCUS, "main");
	add_pattern(&t, TRANSFORM_IGNORE, "libc");
	check(p, &t, "main;fib;fib;fib 2 | main;sort+cmp 4");
	add_pattern(&t, TRANSFORM_FOCUS, "nothing like it");
	check(p, &t, "");
	profile_free(p);
}

static void stacks_begin_at_the_outermost_match(void **state)
{
	struct profile *p = sorter();
	struct transform t = {0};

	(void)state;
	add_pattern(&t, TRANSFORM_SHOW_FROM, "fib|sort");
	check(p, &t, "sort+cmp;@swap 1 | fib;fib;fib 2 | sort+cmp 4");
	add_pattern(&t, TRANSFORM_SHOW_FROM, "cmp"); /* within a location */
	check(p, &t, "cmp;@swap 1 | cmp 4");
	add_pattern(&t, TRANSFORM_SHOW_FROM, "libc"); /* a module; a frame without lines */
	check(p, &t, "@swap 1 | ? 8");
	profile_free(p);
}

static void inlined_calls_are_of_their_function(void **state)
{
	struct profile *p = sorter();
	struct transform t = {.no_inline = true};

	(void)state;
	check(p, &t, "main;sort;@swap 1 | main;fib;fib;fib 2 | main;sort 4 | other;? 8");
	t.no_inline = true;
	add_pattern(&t, TRANSFORM_FOCUS, "cmp"); /* chosen before */
	check(p, &t, "main;sort;@swap 1 | main;sort 4");
	profile_free(p);
}

static void matching_frames_become_one(void **state)
{
	struct profile *p = new_profile();
	struct transform t = {0};

	(void)state;
	add(p, "main;fib;fib;fib;work;fib;fib", 1);
	add(p, "main;std_a+std_b;std_c+std_d+mine;std_e+std_f", 2);
	add(p, "std_c+std_d+mine;std_c+std_d+mine", 4);
	add(p, "std_a+std_b;std_a+std_b;x", 8);
	add(p, "@;@;std_a+std_b;@a", 16);
	add_pattern(&t, TRANSFORM_COLLAPSE, "fib");
	add_pattern(&t, TRANSFORM_COLLAPSE, "^std_|libc");
	check(p, &t,
	      "main;fib;work;fib 1 | main;std_a;mine;std_e 2 | std_c+mine;std_c+mine 4 | "
	      "std_a;x 8 | ? 16");
	profile_free(p);
}

/* A name that is not there matches nothing; a mapping that is not there is called so. */
static void what_has_no_name(void **state)
{
	struct profile *p = new_profile();
	struct transform t = {0};
	uint32_t nowhere = location_id(p, PROFILE_NONE, 0x10, ""), id, set;

	(void)state;
	MUST(profile_stack(p, &nowhere, 1, &id));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, id, set, (int64_t[]){3, 30}));
	add(p, "main", 4);
	add_pattern(&t, TRANSFORM_FOCUS, "^$");
	check(p, &t, "");
	add_pattern(&t, TRANSFORM_FOCUS, "unknown");
	check(p, &t, " 3");
	profile_free(p);
}

/* An inlined call that folds into a frame that matches is no other frame. */
static void calls_are_folded_before_frames_collapse(void **state)
{
	struct profile *p = new_profile();
	struct transform t = {.no_inline = true};

	(void)state;
	add(p, "main;fib;fib+other;fib", 5);
	add_pattern(&t, TRANSFORM_COLLAPSE, "fib");
	check(p, &t, "main;fib 5");
	profile_free(p);
}

static void what_matches_is_told(void **state)
{
	struct profile *p = sorter();
	struct transform t = {0};
	struct profile *out;

	(void)state;
	for (enum transform_kind kind = TRANSFORM_FOCUS; kind <= TRANSFORM_COLLAPSE; kind++)
		add_pattern(&t, kind, kind == TRANSFORM_IGNORE ? "fob" : "fib");
	add_pattern(&t, TRANSFORM_COLLAPSE, "fob");
	out = apply(&t, p);
	assert_false(t.patterns.data[0].unmatched);
	assert_true(t.patterns.data[1].unmatched);
	assert_false(t.patterns.data[2].unmatched);
	assert_false(t.patterns.data[3].unmatched);
	assert_true(t.patterns.data[4].unmatched);
	profile_free(out);
	transform_release(&t);
	/* What is left has nothing that could match. */
	t = (struct transform){0};
	add_pattern(&t, TRANSFORM_COLLAPSE, "fib");
	add_pattern(&t, TRANSFORM_FOCUS, "fob");
	out = apply(&t, p);
	assert_false(t.patterns.data[0].unmatched);
	assert_true(t.patterns.data[1].unmatched);
	profile_free(out);
	transform_release(&t);
	profile_free(p);
}

static void expressions_that_are_refused(void **state)
{
	static const char *const wrong[] = {
		"(", "[a", "a{1", "*", "(a)\\1", "((((a{99}){99}){99}){99})", "a\\"};
	struct transform t = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *why = NULL;

		if (transform_add(&t, TRANSFORM_FOCUS, wrong[i], &why) != -EINVAL)
			fail_msg("%s is taken", wrong[i]);
		assert_non_null(why);
	}
	assert_int_equal(t.patterns.len, 0);
	transform_release(&t);
}

/* Ten seconds are enough for each. */
static void expressions_that_take_too_long(void **state)
{
	struct profile *p = sorter(), *out = NULL;
	struct transform t = {0};

	(void)state;
	add_pattern(&t, TRANSFORM_FOCUS, "fib");
	add_pattern(&t, TRANSFORM_IGNORE, "fob");
	t.patterns.data[1].re.used_ns = 11000000000ull;
	assert_int_equal(transform_apply(&t, p, &out), -ETIMEDOUT);
	assert_null(out);
	assert_ptr_equal(t.costly, &t.patterns.data[1]);
	transform_release(&t);
	profile_free(p);
}

/* --- properties ---------------------------------------------------------------------------------- */

/* Names of a sample's frames, root first, with what matches told. */
struct names {
	const char *name[128];
	bool matches[128];
	bool outside[128]; /* of a match in its own location, which loses it */
	size_t n;
};

static void names_of(struct names *s, const struct profile *p, size_t sample, char c)
{
	const struct profile_stack *stack = &p->stacks.data[p->samples.data[sample].stack];

	s->n = 0;
	for (uint32_t i = stack->len; i-- > 0;) {
		const struct profile_location *l =
			&p->locations.data[p->frames.data[stack->first + i]];
		bool module = strchr(profile_module(p, l->mapping), c) != NULL;

		size_t first = s->n;
		bool found = false;

		for (uint32_t k = l->n_lines ?: 1; k-- > 0;) {
			uint32_t f = l->n_lines ? p->lines.data[l->first_line + k].function : 0;

			s->name[s->n] =
				l->n_lines ? profile_text(p, p->functions.data[f].name) : "?";
			s->matches[s->n] = module || (l->n_lines && strchr(s->name[s->n], c));
			found |= s->matches[s->n];
			s->n++;
		}
		for (bool before = found; first < s->n; first++) {
			before &= !s->matches[first];
			s->outside[first] = before;
		}
	}
}

/* Keeps what the filter is to keep. False: the sample goes. */
static bool expect(struct names *s, enum transform_kind kind)
{
	size_t first = 0, kept = 0;
	bool before = false;

	while (first < s->n && !s->matches[first])
		first++;
	if (kind == TRANSFORM_FOCUS || kind == TRANSFORM_IGNORE)
		return (first < s->n) == (kind == TRANSFORM_FOCUS);
	if (kind == TRANSFORM_SHOW_FROM) {
		for (size_t i = first; i < s->n; i++)
			if (!s->outside[i])
				s->name[kept++] = s->name[i];
		s->n = kept;
		return kept > 0;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (!before || !s->matches[i])
			s->name[kept++] = s->name[i];
		before = s->matches[i];
	}
	s->n = kept;
	return true;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One line a sample, sorted; kind -1: as they are. */
static char *lines_of(const struct profile *p, int kind)
{
	VEC(char *) lines = {0};
	struct buf all = {0};

	for (size_t i = 0; i < p->samples.len; i++) {
		int64_t value = p->values.data[p->samples.data[i].first_value];
		struct names s;
		struct buf b = {0};

		names_of(&s, p, i, '7');
		if (kind >= 0 && !expect(&s, (enum transform_kind)kind))
			continue;
		for (size_t k = 0; k < s.n; k++)
			buf_printf(&b, "%s;", s.name[k]);
		/* A line for each unit of value: samples that become equal are added up. */
		buf_cstr(&b);
		for (int64_t k = 0; k < value; k++)
			MUST(vec_push(&lines, strdup(buf_cstr(&b))));
		buf_release(&b);
	}
	if (lines.len)
		qsort(lines.data, lines.len, sizeof(*lines.data), compare_texts);
	for (size_t i = 0; i < lines.len; i++) {
		buf_printf(&all, "%s\n", lines.data[i]);
		free(lines.data[i]);
	}
	vec_release(&lines);
	buf_cstr(&all);
	return buf_take(&all);
}

static void random_profiles(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct profile *p = random_profile(seed, 40);

		for (int kind = TRANSFORM_FOCUS; kind <= TRANSFORM_COLLAPSE; kind++) {
			struct transform t = {0};
			struct profile *out;
			char *expected = lines_of(p, kind), *got;

			add_pattern(&t, (enum transform_kind)kind, "7");
			out = apply(&t, p);
			got = lines_of(out, -1);
			assert_string_equal(got, expected);
			free(expected);
			free(got);
			profile_free(out);
			transform_release(&t);
		}
		profile_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_selected),
		cmocka_unit_test(stacks_begin_at_the_outermost_match),
		cmocka_unit_test(inlined_calls_are_of_their_function),
		cmocka_unit_test(matching_frames_become_one),
		cmocka_unit_test(what_has_no_name),
		cmocka_unit_test(calls_are_folded_before_frames_collapse),
		cmocka_unit_test(what_matches_is_told),
		cmocka_unit_test(expressions_that_are_refused),
		cmocka_unit_test(expressions_that_take_too_long),
		cmocka_unit_test(random_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
