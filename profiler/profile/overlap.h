/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether functions have the same samples: then a reader needs to see one of them only. */
#ifndef KILN_PROFILE_OVERLAP_H
#define KILN_PROFILE_OVERLAP_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/profile/profile.h"

/* Functions are bits of a word. */
#define OVERLAP_MAX 32

struct overlap { /* all-zero: released */
	const struct profile *p;
	int64_t *values;  /* of each stack */
	uint32_t *stacks; /* which functions are on it */
	uint8_t *has;	  /* by location: for overlap_add() */
	unsigned n;
};

/* value: sample type index. Borrows p. 0 or -ENOMEM; release it in any case. */
int overlap_open(struct overlap *o, const struct profile *p, size_t value);
void overlap_release(struct overlap *o);

/*
 * Adds the functions of this name and returns their number, counted from 0; one that is on no stack has no samples in
 * common with any. -ENOSPC if there are OVERLAP_MAX. One walk over the profile's stacks.
 */
int overlap_add(struct overlap *o, const char *name);
/* Takes back what was added last. */
void overlap_drop(struct overlap *o);

/* What both have of what either has, 0 to 1. */
double overlap_share(const struct overlap *o, int a, int b);

#endif
