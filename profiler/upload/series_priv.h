/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of series share. */
#ifndef KILN_UPLOAD_SERIES_PRIV_H
#define KILN_UPLOAD_SERIES_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"
#include "profiler/upload/series.h"

/*
 * series_labels.c: which series the samples of a profile belong to. Label sets whose labels of the series are the
 * same are one group, whatever else they hold.
 */
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
/* The labels of a group, into *out, which has none and holds what there is also after a failure. 0 or -ENOMEM. */
int series_groups_labels(const struct series_groups *g, size_t group, struct series_labels *out);

/* By names and values. */
int series_labels_compare(const struct series_labels *a, const struct series_labels *b);

/*
 * series_pprof.c: writes some samples as a pprof profile, straight from the window. What they refer to gets its number
 * when they lead to it: a copy in between would cost more than all the rest of dividing a window.
 */
struct series_pprof;

/* Borrows p and o. For any number of profiles, one after the other. 0 or -ENOMEM. */
int series_pprof_new(struct series_pprof **out, const struct profile *p,
		     const struct series_opts *o);
void series_pprof_free(struct series_pprof *w);

/* Puts the profile of these samples (indices) into out, instead of what is there; nothing if all values are zero.
 * *weight: the sum of the first type's values. 0, -EFBIG (more than o->max_bytes) or -ENOMEM. */
int series_pprof_write(struct series_pprof *w, const size_t *samples, size_t n, struct buf *out,
		       uint64_t *weight);

#endif
