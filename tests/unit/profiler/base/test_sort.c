// SPDX-License-Identifier: GPL-2.0-or-later
/* Sorting by number: against qsort(), of few and of many, with digits that are all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/sort.h"

#define MANY 20000

static int by_key(const void *pa, const void *pb)
{
	const struct sort_item *a = pa, *b = pb;

	return (a->key > b->key) - (a->key < b->key);
}

static void check(size_t n, uint64_t mask, uint64_t base)
{
	struct sort_item *items = calloc(n + 1, sizeof(*items));
	struct sort_item *want = calloc(n + 1, sizeof(*want));
	char *seen = calloc(n + 1, 1);

	assert_true(items && want && seen);
	for (size_t i = 0; i < n; i++)
		items[i] = (struct sort_item){base + (hash_u64(i + n) & mask), i};
	memcpy(want, items, n * sizeof(*items));
	qsort(want, n, sizeof(*want), by_key);
	sort_items(items, n);
	for (size_t i = 0; i < n; i++) {
		size_t from = items[i].value;

		assert_int_equal(items[i].key, want[i].key);
		assert_true(from < n && !seen[from]);
		assert_int_equal(items[i].key, base + (hash_u64(from + n) & mask));
		seen[from] = 1;
	}
	free(items);
	free(want);
	free(seen);
}

static void sorts(void **state)
{
	static const uint64_t masks[] = {
		0, 1, 0xff, 0x7ff, 0x800, 0xffffff, 1ull << 63, UINT64_MAX, 0xffe000000003ffull};
	static const size_t counts[] = {0, 1, 2, 511, 512, 513, MANY};

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++)
		for (size_t k = 0; k < sizeof(counts) / sizeof(*counts); k++)
			for (uint64_t base = 0; base < 3; base++)
				check(counts[k], masks[i], base * 0x5555555555ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts),
	};

	return cmocka_run_group_tests_name("sort", tests, NULL, NULL);
}
