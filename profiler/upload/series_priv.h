/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which series the samples of a profile belong to. Label sets whose labels of the series are the same are one
 * group, whatever else they hold.
 */
#ifndef KILN_UPLOAD_SERIES_PRIV_H
#define KILN_UPLOAD_SERIES_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"
#include "profiler/upload/series.h"

struct series_groups {
	const struct profile *p;
	const struct series_opts *o;
	const char *names[SERIES_MAX_LABELS]; /* of the labels; [0] is service_name */
	uint32_t keys[SERIES_MAX_LABELS];     /* their ids in p; PROFILE_NONE: p has none */
	size_t n_keys;
	struct strtab *services; /* names, for the first column of rows */
	VEC(uint32_t) rows;	 /* of each group, the ids of its values */
	size_t n_groups;
	struct htab index;
	uint64_t seed;
	uint32_t *of; /* the group of each label set */
};

/* Borrows p and o. 0 or -ENOMEM; release it either way. */
int series_groups_init(struct series_groups *g, const struct profile *p,
		       const struct series_opts *o);
void series_groups_release(struct series_groups *g);
/* The labels of a group, into a series that has none. 0 or -ENOMEM. */
int series_groups_labels(const struct series_groups *g, size_t group, struct series *out);

/* By names and values. */
int series_compare(const struct series *a, const struct series *b);

#endif
