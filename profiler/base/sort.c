// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/sort.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

#define DIGIT_BITS 11
#define DIGITS	   (1u << DIGIT_BITS)
/* For fewer items, comparing is faster than counting digits. */
#define FEW 512

static int compare_items(const void *pa, const void *pb)
{
	const struct sort_item *a = pa, *b = pb;

	return (a->key > b->key) - (a->key < b->key);
}

static unsigned digit(uint64_t key, unsigned shift)
{
	return (unsigned)(key >> shift) & (DIGITS - 1);
}

/* One pass of the radix sort, for the digit at `shift`. */
static void pass(const struct sort_item *from, struct sort_item *to, size_t n, unsigned shift)
{
	size_t at[DIGITS] = {0}, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[digit(from[i].key, shift)]++;
	for (unsigned d = 0; d < DIGITS; d++) {
		size_t count = at[d];

		at[d] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[at[digit(from[i].key, shift)]++] = from[i];
}

void sort_items(struct sort_item *items, size_t n)
{
	struct sort_item *from = items, *to, *swap;
	_cleanup_free_ struct sort_item *spare = NULL;
	uint64_t differ = 0;

	for (size_t i = 1; i < n; i++)
		differ |= items[i].key ^ items[0].key;
	if (n >= FEW)
		spare = malloc(n * sizeof(*spare));
	if (!spare) {
		if (n)
			qsort(items, n, sizeof(*items), compare_items);
		return;
	}
	to = spare;
	for (unsigned shift = 0; shift < 64 && differ >> shift; shift += DIGIT_BITS) {
		if (!digit(differ, shift))
			continue;
		pass(from, to, n, shift);
		swap = from;
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(*items));
}
