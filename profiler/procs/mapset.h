/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sorted array of mappings with a reference count. Owners share it until one of them changes it.
 * Internal to profiler/procs.
 */
#ifndef KILN_PROCS_MAPSET_H
#define KILN_PROCS_MAPSET_H

#include "profiler/procs/proc_facts.h"

struct mapset; /* NULL is empty */

/* Totals of all sets. A shared array counts once. */
struct space_total {
	size_t bytes, mappings;
	uint64_t past_dropped; /* replaced mappings dropped so far for lack of room */
};

/* Borrowed until the next change. */
const struct proc_mapping *mapset_get(const struct mapset *set, size_t *n);

/* Puts n mappings in place of `remove` ones at index `at`. Copies a shared array first. 0, or
 * -ENOMEM with nothing changed. */
int mapset_splice(struct mapset **s, size_t at, size_t remove, const struct proc_mapping *with,
		  size_t n, struct space_total *total);

struct mapset *mapset_ref(struct mapset *set);
void mapset_unref(struct mapset *set, struct space_total *total);

#endif
