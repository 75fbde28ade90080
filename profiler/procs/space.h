/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The executable mappings of one image over time. Current mappings are a sorted array without
 * overlaps, shared with forked children until one of them changes it. Replaced mappings are kept
 * beside it, with the time of their end. Internal to profiler/procs.
 */
#ifndef KILN_PROCS_SPACE_H
#define KILN_PROCS_SPACE_H

#include "profiler/base/vec.h"
#include "profiler/procs/mapset.h"

/* Mappings of one image, with replaced ones: the default of vm.max_map_count is 65530. */
#define SPACE_MAX_MAPPINGS 65536
/* Replaced mappings of one image. At the cap the oldest go. Only a dlopen() loop reaches it. */
#define SPACE_MAX_PAST 16384

struct past_mapping {
	struct proc_mapping m;
	uint64_t until_ns;
};

/* All-zero is empty and valid. */
struct space {
	struct mapset *set;
	VEC(struct past_mapping) past; /* sorted by until_ns */
};

/*
 * Maps m at t_ns in place of whatever it overlaps. If m is older than what it overlaps, it goes
 * behind that. Mapping the same again changes nothing. Anonymous memory grows in place, also
 * backwards in time. 0, -ENOSPC (too many mappings) or -ENOMEM.
 */
int space_map(struct space *s, uint64_t t_ns, const struct proc_mapping *m,
	      struct space_total *total);

/* All mappings at seen_ns. */
struct space_snapshot {
	const struct proc_mapping *m; /* by address, without overlaps; since_ns is ignored */
	size_t n;
	uint64_t seen_ns;
	/* New mappings began at since_ns, and missing ones ended then. A missing one that began
	 * after since_ns ended at late_ns, and its successor began then. */
	uint64_t since_ns, late_ns;
	bool no_room;	/* add nothing */
	size_t refused; /* result: pieces not added */
};

/* Makes the space equal to the snapshot. Changes after seen_ns stay, and equal mappings keep
 * their time. 1 if anything may be different, else 0, or -ENOMEM. */
int space_apply_snapshot(struct space *s, struct space_snapshot *snap, struct space_total *total);

/* True if all of m is mapped now. */
bool space_has(const struct space *s, const struct proc_mapping *m);

/* True if exactly these, by address, are mapped now. */
bool space_is(const struct space *s, const struct proc_mapping *m, size_t n);

/* Index of the last current mapping that starts at or below va, or of the first one. There must be one. */
size_t space_index_of(const struct space *s, uint64_t va);

/* The mapping at va at that time, or NULL. Borrowed until the next change. */
const struct proc_mapping *space_at(const struct space *s, uint64_t t_ns, uint64_t va);

/* Gives the parent's current mappings to the child, which must be empty. */
void space_fork(struct space *child, struct space *parent);

/* Removes mappings that began at exactly that time. 0 or -ENOMEM. */
int space_drop_since(struct space *s, uint64_t since_ns, struct space_total *total);

/* Forgets mappings that were replaced before that time. */
void space_forget(struct space *s, uint64_t before_ns, struct space_total *total);

/* Current mappings by address. Borrowed until the next change. */
const struct proc_mapping *space_live(const struct space *s, size_t *n);

void space_release(struct space *s, struct space_total *total);

#endif
