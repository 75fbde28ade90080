// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of a path in a terminal: what is left out of one in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/cli/path_text.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* A name of a library's begins with '-', one of a standard library's with '=', one that is none with '?'. Each call has
 * 1 % less than the one before. */
static void check(const char *const *names, uint32_t n, bool has_commands, size_t columns,
		  const char *expected)
{
	struct heavy_path h = {.strings = strtab_new()};
	struct share_scale scale = {100, 0};
	struct term t = {.columns = columns};
	struct buf b = {0};

	for (uint32_t i = 0; i < n; i++) {
		static const char marks[] = "-=?";
		const char *mark = strchr(marks, *names[i]);
		struct heavy_call call = {
			.rank = mark ? HEAVY_OTHERS + (enum heavy_rank)(mark - marks) : HEAVY_OWN,
			.total = 95 - (int64_t)i,
		};

		assert_int_equal(strtab_add(h.strings, names[i] + !!mark, &call.name), 0);
		assert_int_equal(vec_push(&h.calls, call), 0);
	}
	assert_int_equal(vec_push(&h.lines, (struct heavy_line){.len = n, .total = 95}), 0);
	path_text(&b, &h, &scale, has_commands, &t);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
	heavy_path_release(&h);
}

TEST(test_calls_that_do_not_fit)
{
	static const char *const names[] = {"first", "second_one", "third", "fourth", "last"};

	check(names, 5, false, 80, "Path      95.0%  first > second_one > third > fourth > last\n");
	check(names, 5, false, 57, "Path      95.0%  first > .. > third > fourth > last\n");
	check(names, 5, false, 48, "Path      95.0%  first > .. > fourth > last\n");
	check(names, 5, false, 40, "Path      95.0%  .. > fourth > last\n");
	check(names, 5, false, 30, "Path\n   95.0%  .. > fourth > last\n");
	check(names, 5, true, 48, "Path      95.0%  first: .. > fourth > last\n");
	check(names, 1, true, 48, "Path      95.0%  first\n");
}

TEST(test_own_calls_stay)
{
	static const char *const names[] = {"=runtime", "-library", "main_loop", "=queue_pop",
					    "-inflate", "handle",   "=call",	 "=memcpy"};

	check(names, 8, false, 69,
	      "Path      95.0%  .. > main_loop > .. > inflate > handle > .. > memcpy\n");
	check(names, 8, false, 59, "Path      95.0%  .. > main_loop > .. > handle > .. > memcpy\n");
	check(names, 8, false, 46, "Path      95.0%  .. > handle > call > memcpy\n");
}

/* What a name is worth is what it takes when it is short, and all are short before one is left out. */
TEST(test_short_names_make_room)
{
	static const char *const names[] = {
		"process(std::vector<std::string, std::allocator<std::string>> const&)",
		"parse_record(std::basic_string<char, std::char_traits<char>> const&)"};
	static const char *const packages[] = {"com.example.shop.orders.Orders.sumByCustomer",
					       "com.example.shop.customers.Customers.merge"};

	check(names, 2, false, 90,
	      "Path      95.0%  process(vector<...> const&) > parse_record(basic_string<...> "
	      "const&)\n");
	check(packages, 2, false, 80,
	      "Path      95.0%  orders.Orders.sumByCustomer > customers.Customers.merge\n");
}

/* A name is not cut to pieces for a call that is none of the program's own. */
TEST(test_names_do_not_give_all)
{
	static const char *own[] = {"handle_request",
				    "Builtins_CEntry_Return1_ArgvOnStack_BuiltinExit"},
			  *servant[] = {"=handle_request",
					"Builtins_CEntry_Return1_ArgvOnStack_BuiltinExit"};

	check(own, 2, false, 64,
	      "Path      95.0%  handle_request > Builtins_CEnt..k_BuiltinExit\n");
	check(servant, 2, false, 66,
	      "Path      95.0%  .. > Builtins_CEntry_Retur..gvOnStack_BuiltinExit\n");
}

/* A name says more than none, wherever it is; the last is left out where it has none and there is no room. */
TEST(test_names_before_none)
{
	static const char *const names[] = {"cycle",	   "?app+sub_51340",   "output_filter",
					    "?app+sub_10", "-deflate",	       "?libz.so+sub_4b10",
					    "=memcpy",	   "?libz.so+sub_5d80"};
	static const char *const none[] = {"=main", "?app+sub_10", "?app+sub_20"};

	check(names, 8, false, 90,
	      "Path      95.0%  cycle > .. > output_filter > app+sub_10 > deflate > .. > "
	      "libz.so+sub_5d80\n");
	check(names, 8, false, 61,
	      "Path      95.0%  cycle > .. > deflate > .. > libz.so+sub_5d80\n");
	check(names, 8, false, 48, "Path      95.0%  cycle > .. > deflate > ..\n");
	check(names, 8, false, 34, "Path\n   95.0%  .. > deflate > ..\n");
	check(none, 3, false, 40, "Path      95.0%  main > .. > app+sub_20\n");
	check(none, 3, false, 32, "Path\n   95.0%  main > .. > app+sub_20\n");
}

/* Where there is no room to tell that calls are left out, the share is of those that are seen. */
TEST(test_share_of_what_is_seen)
{
	static const char *const names[] = {"=main", "process_cycle",
					    "output_filters_of_this_program"};

	check(names, 3, false, 60, "Path      95.0%  main > .. > output_filters_of_this_program\n");
	check(names, 3, false, 47, "Path      93.0%  output_filters_of_this_program\n");
	check(names, 3, true, 47, "Path      95.0%  main: output_filt..his_program\n");
}

static void add_line(struct heavy_path *h, uint32_t level, int64_t total, const char *names)
{
	struct heavy_line line = {(uint32_t)h->calls.len, 0, level, total};
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", names);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
		struct heavy_call call = {.rank = HEAVY_OTHERS, .total = total};

		assert_int_equal(strtab_add(h->strings, w, &call.name), 0);
		assert_int_equal(vec_push(&h->calls, call), 0);
		line.len++;
	}
	assert_int_equal(vec_push(&h->lines, line), 0);
}

static void assert_text(const struct heavy_path *h, size_t columns, const char *expected)
{
	struct share_scale scale = {100, 0};
	struct term t = {.columns = columns};
	struct buf b = {0};

	path_text(&b, h, &scale, false, &t);
	assert_string_equal(buf_cstr(&b), expected);
	buf_release(&b);
}

/* Branches of one line that would look the same show where they begin, which is where they part. */
TEST(test_branches_differ)
{
	struct heavy_path h = {.strings = strtab_new()};

	add_line(&h, 0, 90, "compile");
	add_line(&h, 1, 50, "expand_function pass_list execute_one_pass");
	add_line(&h, 2, 20, "walk");
	add_line(&h, 1, 30, "inline_functions pass_list execute_one_pass");
	add_line(&h, 0, 10, "finish pass_list execute_one_pass");
	assert_text(&h, 80,
		    "Path      90.0%  compile\n"
		    "          50.0%    expand_function > pass_list > execute_one_pass\n"
		    "          20.0%      walk\n"
		    "          30.0%    inline_functions > pass_list > execute_one_pass\n"
		    "          10.0%  finish > pass_list > execute_one_pass\n");
	assert_text(&h, 46,
		    "Path      90.0%  compile\n"
		    "          50.0%    expand_function > ..\n"
		    "          20.0%      walk\n"
		    "          30.0%    inline_functions > ..\n"
		    "          10.0%  .. > execute_one_pass\n");
	heavy_path_release(&h);
}

/* Two functions that only their arguments tell apart. */
TEST(test_different_functions_look_different)
{
	struct heavy_path h = {.strings = strtab_new()};

	add_line(&h, 0, 90, "v8::internal::JsonStringifier::Serialize_<false>(Handle<Object>)");
	add_line(&h, 1, 50, "v8::internal::JsonStringifier::Serialize_<true>(Handle<Object>)");
	assert_text(&h, 100,
		    "Path      90.0%  JsonStringifier::Serialize_<false>(...)\n"
		    "          50.0%    JsonStringifier::Serialize_<true>(...)\n");
	heavy_path_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_that_do_not_fit),
		cmocka_unit_test(test_own_calls_stay),
		cmocka_unit_test(test_short_names_make_room),
		cmocka_unit_test(test_names_do_not_give_all),
		cmocka_unit_test(test_names_before_none),
		cmocka_unit_test(test_share_of_what_is_seen),
		cmocka_unit_test(test_branches_differ),
		cmocka_unit_test(test_different_functions_look_different),
	};

	return cmocka_run_group_tests_name("path_text", tests, NULL, NULL);
}
