// SPDX-License-Identifier: GPL-2.0-or-later
/* Every allocation of dividing a window and of making requests of it fails once: each failure has to come out as
 * -ENOMEM, with nothing leaked. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "profiler/upload/series.h"
#include "profiler/upload/target.h"
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

static void release(struct upload_requests *r)
{
	for (size_t i = 0; i < r->v.len; i++) {
		free(r->v.data[i].url);
		for (size_t k = 0; k < r->v.data[i].headers.len; k++)
			free(r->v.data[i].headers.data[k]);
		vec_release(&r->v.data[i].headers);
		buf_release(&r->v.data[i].body);
	}
	vec_release(&r->v);
}

static int ignore(void *ctx, const struct series *s)
{
	(void)ctx, (void)s;
	return 0;
}

static int work(const struct profile *p, const struct upload_kind *kind)
{
	struct series_opts o = {.max_bytes = 3000, .max_depth = 3, .name_all = true, .host = "h"};
	struct upload_target t = {.kind = kind, .base = "http://h", .path = "", .query = ""};
	struct upload_item item = {.profile = p, .host = "h"};
	struct upload_requests requests = {0};
	struct why why;
	int err = series_split(p, &o, ignore, NULL);

	err = err ?: kind->pack(&t, &item, &requests, &why);
	release(&requests);
	return err;
}

static void every_allocation_may_fail(void **state)
{
	static const struct upload_kind *const kinds[] = {&upload_pyroscope, &upload_parca};
	struct profile *p = random_profile(4, 20);

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		bool failed;
		long n = 0;
		int err;

		do {
			allocs_begin(n++);
			err = work(p, kinds[k]);
			failed = allocs_end();
			if (allocs.blocks || (err && err != -ENOMEM))
				fail_msg("allocation %ld: %d, %ld leaked", n - 1, err,
					 allocs.blocks);
		} while (failed);
		assert_int_equal(err, 0); /* none was left to fail */
		assert_true(n > 100);
	}
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
