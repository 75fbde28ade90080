// SPDX-License-Identifier: GPL-2.0-or-later
/* Every allocation of demangling a C++ name fails once: the name stays mangled and nothing leaks. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/symbols/llvm_demangle.h"

#ifdef __has_feature /* clang's way to say it */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__

int main(void)
{
	puts("1..1\n"
	     "ok 1 - every_allocation_may_fail # SKIP the sanitizer's malloc cannot be replaced");
	return 0;
}

#else

/* glibc's own entry points, so that ours can stand before them. */
void *__libc_malloc(size_t size);
void __libc_free(void *p);

static bool counting;
static long live, calls, fail_at;

void *malloc(size_t size)
{
	void *p = counting && calls++ == fail_at ? NULL : __libc_malloc(size);

	live += counting && p;
	return p;
}

void free(void *p)
{
	live -= counting && p;
	__libc_free(p);
}

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
	for (fail_at = 0; !ok; fail_at++) {
		calls = live = 0;
		counting = true;
		ok = llvm_demangle(&out, name);
		counting = false;
		assert_int_equal(live, 0);
		assert_int_equal(ok, calls <= fail_at);
	}
	print_message("%ld allocations\n", calls);
	assert_true(calls > 10);
	assert_true(out.len > 2000 && !out.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};

	return cmocka_run_group_tests_name("demangle_oom", tests, NULL, NULL);
}

#endif
