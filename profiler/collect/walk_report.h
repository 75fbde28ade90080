/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts which way user stacks were walked, and why, for the profile's quality and for -v. */
#ifndef KILN_COLLECT_WALK_REPORT_H
#define KILN_COLLECT_WALK_REPORT_H

struct quality;
struct rescan;
struct sampler_totals;
struct raw_walk;
struct reported_mappings;
struct unwind_feed;

/*
 * Everything is a sum since the beginning. feed and raw_walk are NULL if user stacks are walked by
 * frame pointers only. reported is NULL if samples report no mappings.
 */

/* Fills in the counters of walks. */
void walk_count(struct quality *q, const struct sampler_totals *t, struct unwind_feed *feed,
		const struct raw_walk *raw_walk, const struct rescan *rescan);
/* Logs these and more at LOG_VERBOSE. */
void walk_report(const struct quality *q, const struct sampler_totals *t, struct unwind_feed *feed,
		 const struct raw_walk *raw_walk, const struct rescan *rescan,
		 const struct reported_mappings *reported);

#endif
