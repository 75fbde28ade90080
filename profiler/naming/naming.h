/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Aggregate in, profile out: every distinct address is named once, in batches by file, and the
 * profile learns its own quality on the way.
 */
#ifndef KILN_NAMING_NAMING_H
#define KILN_NAMING_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aggregate;
struct cgroups;
struct files;
struct stall_guard;
struct ksyms;
struct profile;
struct quality;
struct symbolizer;
struct unwind_feed;

struct naming {
	struct symbolizer *symbolizer;
	struct files *files;
	const struct ksyms *ksyms;
	const struct unwind_feed *feed; /* NULL: stacks were walked by frame pointers */
	struct cgroups *cgroups;	/* NULL: no cgroup labels */
	const char *const *user_labels; /* "key=value", NULL-terminated; or NULL */
	uint64_t period_ns;
	bool names_only;	   /* no lines */
	struct stall_guard *guard; /* for perf maps: they lie where their programs like */
};

/*
 * Adds the aggregate's samples to an initialised CPU profile. Fills the counters of q that come from
 * frames and stacks (user_complete ... frames_fde, blame); recorded is set by the caller. 0 or
 * -errno.
 */
int naming_run(const struct naming *n, const struct aggregate *a, struct profile *p,
	       struct quality *q);

#endif
