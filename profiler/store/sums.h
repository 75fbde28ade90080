/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values by stack and label set, in numbers of a dictionary. Most occur again and again: they are sorted
 * now and then, which is cheaper than looking each of them up. */
#ifndef KILN_STORE_SUMS_H
#define KILN_STORE_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/sort.h"
#include "profiler/base/vec.h"

struct dict_window;

struct sums {			     /* all-zero is empty and valid */
	VEC(struct sort_item) items; /* key: stack << 32 | label set; value: index into values */
	VEC(int64_t) values;	     /* n_types for each item */
	size_t n_types, n_distinct;  /* as of the last time they were joined */
};

/* n_types values; the same number in all calls. 0 or -ENOMEM. */
int sums_add(struct sums *s, uint32_t stack, uint32_t labelset, const int64_t *values,
	     size_t n_types);
/* One item for each stack and label set, in ascending order. 0 or -ENOMEM. */
int sums_join(struct sums *s);
/* Forgets all. */
void sums_clear(struct sums *s);
void sums_release(struct sums *s);

/* As the samples of a window, for which sums_join() has been called; without those that are all zero, as
 * profile_add() leaves them out. 0 or -ENOMEM. */
int sums_to_window(const struct sums *s, struct dict_window *out);

#endif
