// SPDX-License-Identifier: GPL-2.0-or-later
/* Every allocation of demangling a C++ name fails once: the name stays mangled and nothing leaks. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "symbolizer/symbols/llvm_demangle.h"
#include "tests/lib/fail_alloc.h"

#if !FAIL_ALLOC

int main(void)
{
	puts("1..1\n"
	     "ok 1 - every_allocation_may_fail # SKIP the sanitizer's malloc cannot be replaced");
	return 0;
}

#else

/* Deep, and with many substitutions, so that all of the demangler's arrays grow. */
static const char *long_name(void)
{
	static char name[LLVM_MANGLED_MAX + 1] = "_Z1fIiEv";

	memset(name + 8, 'P', 1500);
	strcpy(name + 1508, "1AIJ");
	for (char *p = name + 1512; p < name + 2000; p += 4)
		memcpy(p, "2bcP", 4);
	strcat(name, "iEE");
	return name;
}

static void every_allocation_may_fail(void **state)
{
	static struct llvm_name out;
	const char *name = long_name();
	bool ok = false;

	(void)state;
	for (long n = 0; !ok; n++) {
		allocs_begin(n);
		ok = llvm_demangle(&out, name);
		assert_int_equal(ok, !allocs_end());
		assert_int_equal(allocs.blocks, 0);
	}
	print_message("%ld allocations\n", allocs.calls);
	assert_true(allocs.calls > 10);
	assert_true(out.len > 2000 && !out.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};

	return cmocka_run_group_tests_name("demangle_oom", tests, NULL, NULL);
}

#endif
