// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define N 60

static void assert_same_profile(const struct profile *a, const struct profile *b)
{
	char *x = print_profile(a), *y = print_profile(b);

	assert_string_equal(x, y);
	free(x);
	free(y);
}

static void assert_same_quality(const struct quality *a, const struct quality *b)
{
#define X(key) assert_int_equal(a->key, b->key);
	QUALITY_COUNTERS(X)
#undef X
	assert_memory_equal(a->lost, b->lost, sizeof(a->lost));
	assert_int_equal(a->blame.len, b->blame.len);
	for (size_t i = 0; i < a->blame.len; i++) {
		assert_string_equal(a->blame.data[i].module, b->blame.data[i].module);
		assert_string_equal(a->blame.data[i].hint, b->blame.data[i].hint);
		assert_int_equal(a->blame.data[i].frames, b->blame.data[i].frames);
		assert_int_equal(a->blame.data[i].unnamed, b->blame.data[i].unnamed);
		assert_int_equal(a->blame.data[i].broken, b->blame.data[i].broken);
	}
}

static void assert_holds(struct store *s, const struct window *w, size_t n, int64_t since,
			 int64_t until)
{
	struct quality q = {0};
	struct profile *sum = merge_windows(w, n, since, until, &q);
	struct store_result r = query_store(s, since, until, NULL);

	assert_same_profile(r.profile, sum);
	assert_same_quality(&r.quality, &q);
	assert_int_equal(r.rows_damaged + r.windows_damaged + r.pieces_damaged + r.segments_damaged,
			 0);
	store_result_release(&r);
	quality_release(&q);
	profile_free(sum);
}

static void what_goes_in_comes_out(void **state)
{
	struct store_opts opts = {.access = STORE_WRITE, .segment_ns = HOUR};
	struct store *s = open_store("store", &opts);
	struct window w[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		w[i] = random_window(i, T0 + (int64_t)i * 3 * MINUTE, 10 * SECOND);
		assert_int_equal(append_window(s, &w[i]), 0);
	}
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	assert_holds(s, w, N, T0 + 1, T0 + 90 * MINUTE);
	assert_holds(s, w, N, T0 + 60 * MINUTE, T0 + 60 * MINUTE + 1);
	assert_holds(s, w, N, T0 + 60 * MINUTE + 1, T0 + 63 * MINUTE);
	store_close(s);
	opts.access = STORE_READ;
	s = open_store("store", &opts);
	assert_holds(s, w, N, STORE_BEGIN, STORE_END);
	store_close(s);
	for (size_t i = 0; i < N; i++)
		window_release(&w[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_goes_in_comes_out, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
