/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sorted array of mappings, shared (counted references) until one of those who have it changes it.
 * Internal to profiler/procs.
 */
#ifndef KILN_PROCS_MAPSET_H
#define KILN_PROCS_MAPSET_H

#include "profiler/procs/proc_facts.h"

struct mapset; /* NULL is empty */

/* What all sets hold together; a shared array counts once. */
struct space_total {
	size_t bytes, mappings;
	uint64_t past_dropped; /* so far: replaced mappings for which there was no room */
};

/* Borrowed until the next change. */
const struct proc_mapping *mapset_get(const struct mapset *set, size_t *n);

/* Puts n mappings in the place of `remove` at index `at`; a shared array is copied for that. 0 or
 * -ENOMEM: nothing has changed then. */
int mapset_splice(struct mapset **s, size_t at, size_t remove, const struct proc_mapping *with,
		  size_t n, struct space_total *total);

struct mapset *mapset_ref(struct mapset *set);
void mapset_unref(struct mapset *set, struct space_total *total);

#endif
