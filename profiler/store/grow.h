/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arrays by a segment's numbers, while the segment is written. */
#ifndef KILN_STORE_GROW_H
#define KILN_STORE_GROW_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A power of two: a segment that is being written has a few more each time. */
static inline size_t grow_room(uint32_t n)
{
	return n > 1 ? (size_t)1 << (64 - __builtin_clzll(n - 1ull)) : n;
}

/* Room for n of `size` bytes each, new ones 0; never fewer than there are. 0 or -ENOMEM. */
static inline int grow_zeroed(void **array, uint32_t *has, uint32_t n, size_t size)
{
	void *more = *array;

	if (n <= *has)
		return 0;
	/* Of a large first one no page is touched. */
	if (!*array)
		more = calloc(grow_room(n), size);
	else if (grow_room(n) > grow_room(*has))
		more = realloc(*array, grow_room(n) * size);
	if (!more)
		return -ENOMEM;
	if (*array)
		memset((char *)more + *has * size, 0, (n - *has) * size);
	*array = more;
	*has = n;
	return 0;
}

#endif
