/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growable array: VEC(int) v = {0}; vec_push(&v, 3); v.data[0]; v.len; vec_release(&v). An all-zero
 * vec is empty and valid. Growth makes pointers into data invalid.
 */
#ifndef KILN_BASE_VEC_H
#define KILN_BASE_VEC_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *data;                                                                        \
		size_t len, cap;                                                                   \
	}

/* Makes room for `want` elements in total. 0, or -ENOMEM with the array unchanged. */
static inline int vec_reserve_raw(void **data, size_t *cap, size_t elem_size, size_t want)
{
	size_t n = *cap ? *cap : 8;
	void *p;

	if (want <= *cap)
		return 0;
	while (n < want) {
		if (n > SIZE_MAX / 2 / elem_size)
			return -ENOMEM;
		n *= 2;
	}
	p = realloc(*data, n * elem_size);
	if (!p)
		return -ENOMEM;
	*data = p;
	*cap = n;
	return 0;
}

#define vec_reserve(v, want)                                                                       \
	vec_reserve_raw((void **)&(v)->data, &(v)->cap, sizeof(*(v)->data), (want))

/* Appends a value: 0 or -ENOMEM. */
#define vec_push(v, ...)                                                                           \
	(vec_reserve((v), (v)->len + 1) ?: ((v)->data[(v)->len++] = (__VA_ARGS__), 0))

#define vec_last(v) ((v)->data[(v)->len - 1])

#define vec_release(v)                                                                             \
	do {                                                                                       \
		free((v)->data);                                                                   \
		(v)->data = NULL;                                                                  \
		(v)->len = (v)->cap = 0;                                                           \
	} while (0)

#endif
