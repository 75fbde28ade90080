/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The executable mappings of one image over time. What is mapped now is a sorted array without
 * overlaps, shared with forked children until one of them changes it; what was replaced is kept
 * beside it with the time it ended. Internal to profiler/procs.
 */
#ifndef KILN_PROCS_SPACE_H
#define KILN_PROCS_SPACE_H

#include "profiler/base/vec.h"
#include "profiler/procs/mapset.h"

/* Mappings of one image, replaced ones included: what vm.max_map_count allows by default (65530).
 */
#define SPACE_MAX_MAPPINGS 65536
/* Replaced mappings of one image; past it the oldest go. A dlopen() loop gets this far. */
#define SPACE_MAX_PAST 16384

struct past_mapping {
	struct proc_mapping m;
	uint64_t until_ns;
};

/* All-zero is empty and valid. */
struct space {
	struct mapset *set;
	VEC(struct past_mapping) past; /* ascending until_ns */
};

/*
 * Puts a mapping in place of whatever it overlaps. One that is older (t_ns) than what it overlaps
 * goes behind it. Mapping again what is mapped already changes nothing; anonymous memory grows in
 * place, also backwards in time. -ENOSPC: too many mappings. 0 or -ENOMEM.
 */
int space_map(struct space *s, uint64_t t_ns, const struct proc_mapping *m,
	      struct space_total *total);

/* All that was mapped at seen_ns. */
struct space_snapshot {
	const struct proc_mapping *m; /* by address, without overlaps; since_ns is ignored */
	size_t n;
	uint64_t seen_ns;
	/* What is new was made at since_ns, and what was not seen any more ended then. What was made
	 * after that and not seen ended at late_ns, and what is in its place was made then. */
	uint64_t since_ns, late_ns;
	bool no_room;	/* nothing may be added */
	size_t refused; /* out: pieces not added */
};

/* Makes it so. What was made or ended after seen_ns stays so; what is the same keeps its time. 1 if
 * anything may be different now, else 0, or -ENOMEM. */
int space_apply_snapshot(struct space *s, struct space_snapshot *snap, struct space_total *total);

/* Whether all of m is mapped now. */
bool space_has(const struct space *s, const struct proc_mapping *m);

/* Whether these, by address, are all that is mapped now. */
bool space_is(const struct space *s, const struct proc_mapping *m, size_t n);

/* What was mapped at va at that time, or NULL. Borrowed until the next change. */
const struct proc_mapping *space_at(const struct space *s, uint64_t t_ns, uint64_t va);

/* The child gets what the parent has mapped now. child must be empty. */
void space_fork(struct space *child, struct space *parent);

/* Removes what is mapped since exactly that time. 0 or -ENOMEM. */
int space_drop_since(struct space *s, uint64_t since_ns, struct space_total *total);

/* Forgets mappings that were replaced before that time. */
void space_forget(struct space *s, uint64_t before_ns, struct space_total *total);

/* Mappings in place now. Borrowed until the next change. */
const struct proc_mapping *space_live(const struct space *s, size_t *n);

void space_release(struct space *s, struct space_total *total);

#endif
