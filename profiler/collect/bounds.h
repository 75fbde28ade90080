/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that the collector keeps is bounded (DESIGN.md, "Bounds"). This counts what is kept,
 * and what was refused or forgotten because of a bound.
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
	struct perf_maps *perf_maps;
	struct unwind_feed *feed;
	struct raw_walk *raw_walk;
};

/* Sets the full_* counters, which are sums since the beginning. */
struct quality;
void bounds_count(struct quality *sums, const struct bounded *b);

/* Logs two lines at LOG_VERBOSE. */
void bounds_log(const struct bounded *b);

#endif
