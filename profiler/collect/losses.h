/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accounting identity: what became of every timer period (quality.h). */
#ifndef KILN_COLLECT_LOSSES_H
#define KILN_COLLECT_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

struct profile;
struct quality;
struct sampler_totals;

/* What the kernel half counted, as sums since the beginning. read_back: samples that were drained. */
void losses_count(struct quality *q, const struct sampler_totals *t, uint64_t read_back);

/*
 * Turns sums since the beginning into a window's share: what `now` has more than `given`, which then
 * has it, too. A sum that went back by a rounding (idle time comes in clock ticks) gives 0.
 *
 * The timers go on while a window is drained, so that what was expected of just this window cannot be
 * known: it is what became of its periods. The last window, when no timer runs any more, shows what is
 * unaccounted for in all of them.
 */
void losses_share(struct quality *window, struct quality *given, const struct quality *now,
		  bool last);

/*
 * Losses as samples, "[lost samples];reason", so that the profile adds up to the CPU time used. Of a
 * timer that did not fire nobody can say whether it would have hit a target: with a filter such
 * losses stay numbers. 0 or -ENOMEM.
 */
int losses_add(struct profile *p, const struct quality *q, uint64_t period_ns, bool filtered);

#endif
