/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accounting identity (quality.h): what happened to every timer period. */
#ifndef KILN_COLLECT_LOSSES_H
#define KILN_COLLECT_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

struct profile;
struct quality;
struct sampler_totals;

/* Takes the kernel half's counters, which are sums since the beginning. read_back: samples that
 * were drained. */
void losses_count(struct quality *q, const struct sampler_totals *t, uint64_t read_back);

/*
 * Turns sums since the beginning into a window's share: the difference between `now` and `given`.
 * Then sets `given` to `now`. A sum that fell by a rounding (idle time comes in clock ticks) gives
 * 0.
 *
 * Timers go on while a window is drained, so the number of periods in one window is not known.
 * `expected` is set to the sum of what happened to them. The last window, when no timer runs any
 * more, shows what is unaccounted for in all windows.
 */
void losses_share(struct quality *window, struct quality *given, const struct quality *now,
		  bool last);

/*
 * Adds losses as samples "[lost samples];reason", so that the profile adds up to the CPU time used.
 * For a timer that did not fire it is unknown whether it would have hit a target. With a filter
 * such losses stay counters only. 0 or -ENOMEM.
 */
int losses_add(struct profile *p, const struct quality *q, uint64_t period_ns, bool filtered);

#endif
