// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every allocation of reading, merging, filtering and writing fails once: each failure has to come
 * out as -ENOMEM, with nothing leaked and nothing half-built handed out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "profiler/formats/export.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/profiles.h"

#if !FAIL_ALLOC

int main(void)
{
	puts("1..1\n"
	     "ok 1 - every_allocation_may_fail # SKIP the sanitizer's malloc cannot be replaced");
	return 0;
}

#else

struct input {
	struct buf packed;
	enum export_format format;
};

static bool keep_odd(void *ctx, const struct profile *src, size_t sample)
{
	(void)ctx, (void)src;
	return sample & 1;
}

/* All the module does, once through. */
static int work(const struct input *in)
{
	struct profile *p = NULL, *q = NULL, *all = profile_new();
	const char *why = NULL;
	struct buf out = {0};
	int err = all ? import_pprof(&p, in->packed.data, in->packed.len, &why) : -ENOMEM;

	err = err ?: profile_filter(&q, p, keep_odd, NULL);
	err = err ?: profile_merge(all, q, &why);
	err = err ?: profile_merge(all, p, &why);
	err = err ?: export_profile(&out, all, in->format, NULL);
	buf_release(&out);
	profile_free(p);
	profile_free(q);
	profile_free(all);
	return err;
}

static void every_allocation_may_fail(void **state)
{
	static const enum export_format formats[] = {EXPORT_PPROF_GZ, EXPORT_PPROF_ZST,
						     EXPORT_FOLDED, EXPORT_SPEEDSCOPE};
	struct profile *p = random_profile(4, 30);

	(void)state;
	tzset(); /* libc reads the time zone once, and keeps it */
	MUST(profile_comment(p, "kiln.expected=12"));
	MUST(profile_comment(p, "kiln.blame=1 2 3 \"x\" hint"));
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct input in = {.format = formats[i]};
		bool failed;
		long n = 0;
		int err;

		MUST(export_profile(&in.packed, p, i & 1 ? EXPORT_PPROF_ZST : EXPORT_PPROF_GZ,
				    NULL));
		do {
			allocs_begin(n++);
			err = work(&in);
			failed = allocs_end();
			if (allocs.blocks || (err && err != -ENOMEM))
				fail_msg("allocation %ld of format %zu: %d, %ld leaked", n - 1, i,
					 err, allocs.blocks);
		} while (failed);
		assert_int_equal(err, 0); /* none was left to fail */
		assert_true(n > 100);
		buf_release(&in.packed);
	}
	profile_free(p);
}

/* What it says it holds is what it has, but for what does not grow. */
static void bytes_are_those_that_are_held(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 3000; n = n * 3 + 10) {
		struct profile *p;
		size_t bytes;

		allocs_begin(-1);
		p = random_profile(n, n);
		bytes = profile_bytes(p);
		assert_in_range(allocs.bytes, bytes, bytes + bytes / 50 + 2000);
		profile_free(p);
		allocs_end();
		assert_int_equal(allocs.blocks, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(bytes_are_those_that_are_held),
	};

	return cmocka_run_group_tests_name("profile_oom", tests, NULL, NULL);
}

#endif
