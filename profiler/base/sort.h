/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting by a number, without comparisons: for what comes by the hundred thousand. */
#ifndef KILN_BASE_SORT_H
#define KILN_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_item {
	uint64_t key;
	size_t value; /* the caller's */
};

/* Ascending by key, equal keys in any order. Takes as much memory again for the time of the call;
 * where there is none it takes longer. */
void sort_items(struct sort_item *items, size_t n);

#endif
