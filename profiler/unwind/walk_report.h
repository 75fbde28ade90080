/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way user stacks were walked, and why: in numbers of the profile's quality, and for -v. */
#ifndef KILN_UNWIND_WALK_REPORT_H
#define KILN_UNWIND_WALK_REPORT_H

struct quality;
struct rescan;
struct sampler_totals;
struct raw_walk;
struct reported_mappings;
struct unwind_feed;

/* feed and raw_walk: NULL where user stacks are walked by frame pointers only; reported: where samples do not
 * tell of mappings. */
void walk_report(struct quality *q, const struct sampler_totals *t, struct unwind_feed *feed,
		 const struct raw_walk *raw_walk, const struct rescan *rescan,
		 const struct reported_mappings *reported);

#endif
