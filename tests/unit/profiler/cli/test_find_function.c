// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions by parts of their names: the best match, candidates, and guesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/cli/find_function.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static const struct command cmd = {.name = "report"};

static void add(struct profile *p, const char *name, const char *file, int64_t count)
{
	struct profile_function f = {0};
	struct profile_mapping m = {0};
	struct profile_line line = {0};
	uint32_t mapping, location, stack, labelset;

	assert_int_equal(profile_string(p, "app", &m.file), 0);
	assert_int_equal(profile_string(p, name, &f.name), 0);
	assert_int_equal(profile_string(p, file, &f.file), 0);
	assert_int_equal(profile_mapping(p, &m, &mapping), 0);
	assert_int_equal(profile_function(p, &f, &line.function), 0);
	assert_int_equal(
		profile_location(p, mapping, 0x1000 + p->locations.len, &line, 1, &location), 0);
	assert_int_equal(profile_stack(p, &location, 1, &stack), 0);
	assert_int_equal(profile_labelset(p, NULL, 0, &labelset), 0);
	assert_int_equal(profile_add(p, stack, labelset, (int64_t[]){count, count}), 0);
}

static struct profile *program(void)
{
	static const char *const names[] = {"rsx::tree",
					    "rsx::tree::walk",
					    "rsx::Xtree::walk",
					    "subtree_of",
					    "void std::sort<int*, long>(int*, int*)",
					    "std::sort_heap<int*>(int*, int*)",
					    "<alloc::vec::Vec<T> as core::ops::Drop>::drop",
					    "example.org/a/http.(*Server).Serve",
					    "a::Shape::area(int)",
					    "b::Shape::area(int)",
					    "b::Shape::area(long)",
					    "JS:*findDuplicates /tmp/ku/node/app.js:5:24",
					    "Builtins_CEntry_Return1_ArgvOnStack_BuiltinExit",
					    "main"};
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 1), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		add(p, names[i], "", (int64_t)i + 1);
	add(p, "main", "of_another_file.c", 1);
	add(p, "memcpy", "", 2);
	add(p, "__memcpy_avx", "", 10);
	add(p, "memset", "", 2);
	add(p, "__memset_avx", "", 9);
	add(p,
	    "java.lang.Object java.util.HashMap.merge(java.lang.Object, "
	    "java.util.function.BiFunction)",
	    "", 1);
	return p;
}

/* What it says on stderr goes into `said`. */
static int find(const char *typed, const char **name, char said[2000])
{
	struct profile *p = program();
	int old = dup(STDERR_FILENO), code;
	FILE *file = tmpfile();
	static char found[200];
	size_t n;

	assert_non_null(file);
	assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	*name = typed;
	code = find_function(&cmd, p, 0, name);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(file);
	n = fread(said, 1, 1999, file);
	said[n] = '\0';
	fclose(file);
	snprintf(found, sizeof(found), "%s", *name);
	*name = found;
	profile_free(p);
	return code;
}

TEST(test_best)
{
	static const char *const pairs[][2] = {
		{"main", "main"},
		{"tree", "rsx::tree"},
		{"tree::walk", "rsx::tree::walk"},
		{"std::sort", "void std::sort<int*, long>(int*, int*)"},
		{"sort", "void std::sort<int*, long>(int*, int*)"},
		{"std::sort<...>(...)",
		 "void std::sort<int*, long>(int*, int*)"}, /* as it is shown */
		{"a::Shape::area(...)", "a::Shape::area(int)"},
		{"sort_heap", "std::sort_heap<int*>(int*, int*)"},
		{"Vec::drop", "<alloc::vec::Vec<T> as core::ops::Drop>::drop"},
		{"(*Server).Serve", "example.org/a/http.(*Server).Serve"},
		{"http.(*Server).Serve", "example.org/a/http.(*Server).Serve"},
		{"a::Shape::area", "a::Shape::area(int)"},
		{"b::Shape::area(long)", "b::Shape::area(long)"},
		{"SUBTREE", "subtree_of"},
		{"*findDuplicates app.js:5:24", "JS:*findDuplicates /tmp/ku/node/app.js:5:24"},
		{"Builtins_CEntry_R..Stack_BuiltinExit",
		 "Builtins_CEntry_Return1_ArgvOnStack_BuiltinExit"},
		{"java.util.HashMap.merge",
		 "java.lang.Object java.util.HashMap.merge(java.lang.Object, "
		 "java.util.function.BiFunction)"},
		{"java.util.HashMap.merge(Object, BiFunction)", /* as it is shown */
		 "java.lang.Object java.util.HashMap.merge(java.lang.Object, "
		 "java.util.function.BiFunction)"},
	};
	char said[2000];
	const char *name;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		assert_int_equal(find(pairs[i][0], &name, said), EXIT_OK);
		assert_string_equal(name, pairs[i][1]);
		assert_string_equal(said, "");
	}
}

/* Another one of that name may be the one that matters. */
TEST(test_heavier)
{
	char said[2000];
	const char *name;

	assert_int_equal(find("memcpy", &name, said), EXIT_OK);
	assert_string_equal(name, "memcpy");
	assert_string_equal(said,
			    "kiln: shown is \"memcpy\"; \"__memcpy_avx\" has far more time\n");
	assert_int_equal(find("memset", &name, said), EXIT_OK);
	assert_string_equal(name, "memset");
	assert_string_equal(said, "");
}

TEST(test_several)
{
	char said[2000];
	const char *name, *list;

	assert_int_equal(find("area", &name, said), EXIT_USAGE);
	assert_non_null(strstr(said, "3 functions are like \"area\""));
	list = strstr(said, "%  b::Shape::area(long)\n");
	assert_non_null(list);
	list = strstr(list, "%  b::Shape::area(int)\n");
	assert_non_null(list);
	list = strstr(list, "%  a::Shape::area(int)\n");
	assert_non_null(list);
	assert_int_equal(find("b::Shape::area", &name, said), EXIT_USAGE);
	assert_null(strstr(said, "a::Shape"));
}

TEST(test_none)
{
	char said[2000];
	const char *name;

	assert_int_equal(find("mian", &name, said), EXIT_ERROR);
	assert_non_null(
		strstr(said, "no function \"mian\" in the profile (did you mean \"main\"?)"));
	assert_int_equal(find("sotr", &name, said),
			 EXIT_ERROR); /* its last component is like that */
	assert_non_null(strstr(said, "(did you mean \"sort\"?)"));
	assert_int_equal(find("", &name, said), EXIT_ERROR);
	assert_int_equal(find("::", &name, said), EXIT_USAGE);
	assert_int_equal(find("tree...of", &name, said), EXIT_ERROR); /* as nothing is shown */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best),
		cmocka_unit_test(test_heavier),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("find_function", tests, NULL, NULL);
}
