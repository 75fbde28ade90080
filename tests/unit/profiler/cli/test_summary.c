// SPDX-License-Identifier: GPL-2.0-or-later
/* Parts of a summary that golden files (test_report.c) do not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profiler/cli/answer.h"
#include "profiler/cli/report.h"
#include "profiler/cli/summary.h"
#include "profiler/profile/quality.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void add(struct profile *p, const char *module, const char *name)
{
	uint32_t frame = location_id(p, mapping_id(p, module, "", true), 0, name), stack, set;

	MUST(profile_stack(p, &frame, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){500, 500}));
}

/* Words that a shell would read otherwise. */
TEST(test_commands_to_copy)
{
	struct profile *p = profile_new();
	struct buf b = {0};

	MUST(profile_init_cpu(p, 1));
	add(p, "/bin/x", "a'b");
	summary_next(&b, p, "-it's.pb.gz", "a'b");
	assert_string_equal(
		buf_cstr(&b),
		"Next     kiln export './-it'\\''s.pb.gz' -o flame.html\n"
		"         kiln report './-it'\\''s.pb.gz' --tree\n"
		"         kiln report './-it'\\''s.pb.gz' --tree --callers 'a'\\''b'\n");
	buf_release(&b);
	profile_free(p);
}

/* What is proposed finds that function alone. */
TEST(test_function_to_copy)
{
	static const char
		one[] = "corp::pricing::detail::Pricer<corp::pricing::detail::CallableBond, "
			"corp::pricing::detail::HullWhiteTwoFactor>::price(int)",
		two[] = "corp::pricing::detail::Pricer<corp::pricing::detail::AmortizingSwap, "
			"corp::pricing::detail::HullWhiteTwoFactor>::price(int)";
	struct profile *p = profile_new();
	struct buf b = {0};

	MUST(profile_init_cpu(p, 1));
	add(p, "/bin/x", one);
	summary_next(&b, p, "x", one);
	assert_non_null(strstr(buf_cstr(&b),
			       "--callers 'corp::pricing::detail::Pricer<...>::price(int)'\n"));
	buf_clear(&b);
	add(p, "/bin/x", two);
	summary_next(&b, p, "x", one);
	assert_non_null(strstr(buf_cstr(&b), one));
	buf_release(&b);
	profile_free(p);
}

/* A program and the kernel that have the same: the program is first. */
TEST(test_equal_kinds)
{
	struct profile *p = profile_new();
	struct term t = {.columns = 80};
	struct buf b = {0};

	MUST(profile_init_cpu(p, 1));
	add(p, MAPPING_KERNEL, "flush");
	add(p, "/bin/x", "main");
	assert_int_equal(summary_text(&b, &(struct summary){.p = p, .value = 1}, &t, NULL), 0);
	assert_non_null(strstr(buf_cstr(&b), "By kind  x 50.0 %, kernel 50.0 %\n"));
	buf_release(&b);
	profile_free(p);
}

/* What is to be asked for next is of the program, where it has any. */
TEST(test_next_function)
{
	for (int with_program = 0; with_program < 2; with_program++) {
		struct profile *p = profile_new();
		struct term t = {.columns = 80};
		struct buf b = {0};
		char *top;

		MUST(profile_init_cpu(p, 1));
		add(p, MAPPING_KERNEL, "flush");
		add(p, MAPPING_KERNEL, "flush"); /* the larger row */
		if (with_program)
			add(p, "/bin/x", "parse");
		assert_int_equal(summary_text(&b, &(struct summary){.p = p, .value = 1}, &t, &top),
				 0);
		assert_string_equal(top, with_program ? "parse" : "flush");
		free(top);
		buf_release(&b);
		profile_free(p);
	}
}

static void add_stack(struct profile *p, int64_t n, const char *const *names)
{
	uint32_t frames[8], stack, set;
	size_t len = 0;

	for (; names[len]; len++) {
		const char *module = *names[len] == '-' ? MAPPING_KERNEL : "/bin/x";

		frames[len] = location_id(p, mapping_id(p, module, "", true), 0,
					  names[len] + (*names[len] == '-'));
	}
	MUST(profile_stack(p, frames, len, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){n, n}));
}
#define STACK(p, n, ...) add_stack(p, n, (const char *const[]){__VA_ARGS__, NULL})

static void assert_next(const struct profile *p, const char *want)
{
	struct term t = {.columns = 80};
	struct buf b = {0};
	char *top;

	assert_int_equal(summary_text(&b, &(struct summary){.p = p, .value = 1}, &t, &top), 0);
	if (want)
		assert_string_equal(top, want);
	else
		assert_null(top);
	free(top);
	buf_release(&b);
}

/* Where the hottest functions have no name, the one that called them is asked for, not a small one with a name. */
TEST(test_next_function_of_nameless)
{
	struct profile *p = profile_new();

	MUST(profile_init_cpu(p, 1));
	STACK(p, 500, "x+sub_20", "x+sub_10", "deflate", "filter", "main");
	STACK(p, 300, "x+sub_10", "deflate", "filter", "main");
	STACK(p, 90, "memcpy", "filter", "main");
	STACK(p, 95, "filter", "main");
	STACK(p, 15, "-copy", "filter", "main");
	assert_next(p, "deflate");
	profile_free(p);
}

/* What runs the nameless code is no answer; then the largest with a name is, unless it is small. */
TEST(test_next_function_of_made_code)
{
	struct profile *p = profile_new();

	MUST(profile_init_cpu(p, 1));
	STACK(p, 600, "[jit]", "_PyEval_EvalFrameDefault", "main");
	STACK(p, 70, "-spin_unlock", "-alloc_page", "-exc_page_fault", "[jit]", "main");
	STACK(p, 60, "-clear_page", "-alloc_page", "-exc_page_fault", "[jit]", "main");
	STACK(p, 60, "-handle", "-exc_page_fault", "[jit]", "main");
	assert_next(p, "exc_page_fault");
	profile_free(p);

	p = profile_new();
	MUST(profile_init_cpu(p, 1));
	STACK(p, 900, "[jit]", "main");
	STACK(p, 50, "parse", "main");
	assert_next(p, "parse");
	profile_free(p);

	p = profile_new();
	MUST(profile_init_cpu(p, 1));
	STACK(p, 970, "[jit]", "main");
	STACK(p, 30, "parse", "main");
	assert_next(p, NULL);
	profile_free(p);
}

/* A leaf below those of a chain of calls that have more leaves than i, and below one of many callers. */
static void add_chain(struct profile *p, int i)
{
	static const char *const names[] = {"wake", "deliver", "xmit", "send"};
	static const int below[] = {30, 80, 90, 100};
	uint32_t frames[6], kernel = mapping_id(p, MAPPING_KERNEL, "", true), stack, set;
	char name[16];
	size_t n = 0;

	snprintf(name, sizeof(name), "leaf_%d", i);
	frames[n++] = location_id(p, kernel, 0, name);
	for (int k = 0; k < 4; k++)
		if (i < below[k])
			frames[n++] = location_id(p, kernel, 0, names[k]);
	snprintf(name, sizeof(name), "caller_%d", i % 25);
	frames[n++] = location_id(p, mapping_id(p, "/bin/x", "", true), 0, name);
	MUST(profile_stack(p, frames, n, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){5, 5}));
}

/* Each call of a chain keeps most of the one before: one row tells of those that have much in common. */
TEST(test_flat_chain)
{
	struct profile *p = profile_new();
	struct term t = {.columns = 80};
	struct buf b = {0};
	const char *text;

	MUST(profile_init_cpu(p, 1));
	for (int i = 0; i < 200; i++)
		add_chain(p, i);
	assert_int_equal(summary_text(&b, &(struct summary){.p = p, .value = 1}, &t, NULL), 0);
	text = strstr(buf_cstr(&b), "Flat");
	assert_non_null(text);
	assert_non_null(strstr(text, "50.0%  send "));
	assert_null(strstr(text, " xmit "));
	assert_null(strstr(text, " deliver "));
	assert_non_null(strstr(text, "15.0%  wake "));
	buf_clear(&b);
	t.columns = 40;
	assert_int_equal(summary_text(&b, &(struct summary){.p = p, .value = 1}, &t, NULL), 0);
	assert_non_null(strstr(buf_cstr(&b), "\nFlat     no function has more than 0.5 %\n"
					     "         of its own; with what they\n"
					     "         call:\n"));
	buf_release(&b);
	profile_free(p);
}

/* A function whose time a line of the path has needs no row, though the line ends with one that others call, too. */
TEST(test_flat_repeats_no_path)
{
	struct profile *p = profile_new();
	struct term t = {.columns = 80};
	struct buf b = {0};
	const char *text;

	MUST(profile_init_cpu(p, 1));
	for (int i = 0; i < 200; i++) {
		uint32_t app = mapping_id(p, "/bin/x", "", true), frames[3], stack, set;
		char name[16];

		snprintf(name, sizeof(name), "leaf_%d", i);
		frames[0] = location_id(p, app, 0, name);
		frames[1] = location_id(p, app, 0, "run_pass");
		frames[2] = location_id(p, app, 0,
					i < 120	  ? "expand"
					: i < 180 ? "analyse"
						  : "emit");
		MUST(profile_stack(p, frames, 3, &stack));
		MUST(profile_labelset(p, NULL, 0, &set));
		MUST(profile_add(p, stack, set, (int64_t[]){5, 5}));
	}
	assert_int_equal(summary_text(&b, &(struct summary){.p = p, .value = 1}, &t, NULL), 0);
	assert_non_null(strstr(buf_cstr(&b), "30.0%  analyse > run_pass\n"));
	text = strstr(buf_cstr(&b), "Flat");
	assert_non_null(text);
	assert_null(strstr(text, "  analyse "));
	assert_null(strstr(text, "  expand "));
	buf_release(&b);
	profile_free(p);
}

/* Of a part of a profile that is said, as in any report; in a narrow terminal too. */
TEST(test_what_is_shown)
{
	struct profile *whole = profile_new(), *part = profile_new();
	struct report r = {.p = part, .whole = whole, .table = {.value = 1}};
	struct term t = {.columns = 80};
	struct buf b = {0};

	MUST(profile_init_cpu(whole, 1));
	MUST(profile_init_cpu(part, 1));
	STACK(whole, 155, "checksum", "main");
	STACK(whole, 845, "parse", "main");
	STACK(part, 845, "parse", "main");
	assert_int_equal(report_summary(&b, &r, &t), 0);
	assert_non_null(strstr(buf_cstr(&b),
			       "\nShown    84.5 % of the profile; shares are of what is "
			       "shown\n"));
	buf_clear(&b);
	t.columns = 40;
	assert_int_equal(report_summary(&b, &r, &t), 0);
	assert_non_null(strstr(buf_cstr(&b), "\nShown    84.5 % of the profile; shares\n"
					     "         are of what is shown\n"));
	buf_clear(&b);
	r.p = whole;
	assert_int_equal(report_summary(&b, &r, &t), 0);
	assert_null(strstr(buf_cstr(&b), "Shown"));
	buf_release(&b);
	profile_free(whole);
	profile_free(part);
}

/* Unaccounted samples are said, whichever way they are off. */
TEST(test_unaccounted)
{
	struct quality q = {.expected = 100, .recorded = 90};
	struct term t = {0};
	struct buf b = {0};

	answer_losses(&b, &q, &t);
	assert_non_null(strstr(buf_cstr(&b), "note: 10 samples unaccounted"));
	buf_clear(&b);
	q.recorded = 103;
	answer_losses(&b, &q, &t);
	assert_non_null(strstr(buf_cstr(&b), "note: -3 samples unaccounted"));
	buf_clear(&b);
	q.recorded = 99;
	answer_losses(&b, &q, &t);
	assert_non_null(strstr(buf_cstr(&b), "note: 1 sample unaccounted"));
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_to_copy),
		cmocka_unit_test(test_function_to_copy),
		cmocka_unit_test(test_equal_kinds),
		cmocka_unit_test(test_next_function),
		cmocka_unit_test(test_flat_chain),
		cmocka_unit_test(test_next_function_of_nameless),
		cmocka_unit_test(test_next_function_of_made_code),
		cmocka_unit_test(test_flat_repeats_no_path),
		cmocka_unit_test(test_what_is_shown),
		cmocka_unit_test(test_unaccounted),
	};

	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
