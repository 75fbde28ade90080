/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the collector keeps is bounded everywhere (DESIGN.md, "Bounds"): how much there is of what, and
 * what was refused or forgotten because a bound was reached.
 */
#ifndef KILN_COLLECT_BOUNDS_H
#define KILN_COLLECT_BOUNDS_H

struct bounded { /* any may be NULL */
	struct files *files;
	struct procs *procs;
	struct rescan *rescan;
	struct ksyms *ksyms;
	struct cgroups *cgroups;
	struct drain *drain;
	struct reported_mappings *reported;
	struct unwind_feed *feed;
	struct raw_walk *raw_walk;
};

/* Sets the full_* counters: sums since the beginning. */
struct quality;
void bounds_count(struct quality *sums, const struct bounded *b);

/* Two lines for -v. */
void bounds_log(const struct bounded *b);

#endif
