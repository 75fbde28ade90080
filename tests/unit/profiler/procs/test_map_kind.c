// SPDX-License-Identifier: GPL-2.0-or-later
/* What a mapping is, by its name and by what the kernel saw in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include "profiler/procs/maps.h"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		enum map_kind unknown, of_program, other;
	} cases[] = {
		{"/usr/bin/make", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
		{"/usr/bin/make (deleted)", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
		{"/a\nb", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
		{"", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"//anon", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"[heap]", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"[stack]", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"[anon:v8]", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"[vdso]", MAP_KIND_VDSO, MAP_KIND_VDSO, MAP_KIND_VDSO},
		{"[vsyscall]", MAP_KIND_IGNORE, MAP_KIND_IGNORE, MAP_KIND_IGNORE},
		{"[uprobes]", MAP_KIND_IGNORE, MAP_KIND_IGNORE, MAP_KIND_IGNORE},
		{"/dev/zero", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"/dev/zero (deleted)", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"/dev/zerox", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
		{"/SYSV00000000 (deleted)", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"/anon_hugepage (deleted)", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"anon_inode:[perf_event]", MAP_KIND_ANON, MAP_KIND_ANON, MAP_KIND_ANON},
		{"/memfd:doublemapper (deleted)", MAP_KIND_ANON, MAP_KIND_FILE, MAP_KIND_ANON},
		{"//toolong", MAP_KIND_ANON, MAP_KIND_FILE, MAP_KIND_ANON},
		{"/dev/shm/jit.12 (deleted)", MAP_KIND_ANON, MAP_KIND_FILE, MAP_KIND_ANON},
		{"/dev/shm/jit-12.dump", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
		{"/tmp/code (deleted)", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_ANON},
		{"/tmp/code", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
		{"/tmp/jit-12.dump (deleted)", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
		{"/usr/lib/x.so (deleted)", MAP_KIND_FILE, MAP_KIND_FILE, MAP_KIND_FILE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].name;

		assert_int_equal(map_kind_of(name, MAP_CONTENT_UNKNOWN), cases[i].unknown);
		assert_int_equal(map_kind_of(name, MAP_CONTENT_PROGRAM), cases[i].of_program);
		assert_int_equal(map_kind_of(name, MAP_CONTENT_OTHER), cases[i].other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("map kinds", tests, NULL, NULL);
}
