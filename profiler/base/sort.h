/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Radix sort by a number, for hundreds of thousands of items. */
#ifndef KILN_BASE_SORT_H
#define KILN_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_item {
	uint64_t key;
	size_t value; /* the caller's */
};

/* Sorts by ascending key; equal keys in any order. Needs as much memory again during the call.
 * Without that memory it is slower. */
void sort_items(struct sort_item *items, size_t n);

#endif
