/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arrays by a segment's numbers, while the segment is written. */
#ifndef KILN_STORE_GROW_H
#define KILN_STORE_GROW_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room for n of `size` bytes each, new ones 0; never fewer than there are. 0 or -ENOMEM. */
static inline int grow_zeroed(void **array, uint32_t *has, uint32_t n, size_t size)
{
	void *more;

	if (n <= *has)
		return 0;
	/* Of a large first one no page is touched. */
	more = *array ? realloc(*array, n * size) : calloc(n, size);
	if (!more)
		return -ENOMEM;
	if (*array)
		memset((char *)more + *has * size, 0, (n - *has) * size);
	*array = more;
	*has = n;
	return 0;
}

#endif
