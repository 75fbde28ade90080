/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way user stacks were walked, and why: in numbers of the profile's quality, and for -v. */
#ifndef KILN_UNWIND_WALK_REPORT_H
#define KILN_UNWIND_WALK_REPORT_H

struct quality;
struct rescan;
struct sampler_totals;
struct slow_path;
struct told_mappings;
struct unwind_feed;

/* feed and slow: NULL where user stacks are walked by frame pointers only; told: where samples do not
 * tell of mappings. */
void walk_report(struct quality *q, const struct sampler_totals *t, struct unwind_feed *feed,
		 const struct slow_path *slow, const struct rescan *rescan,
		 const struct told_mappings *told);

#endif
