/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accounting identity of a recording: what became of every timer period. */
#ifndef KILN_COLLECT_LOSSES_H
#define KILN_COLLECT_LOSSES_H

#include <stdbool.h>
#include <stdint.h>

struct aggregate;
struct profile;
struct quality;
struct sampler_totals;
struct sideband;

/* Fills in what was expected, recorded and lost. */
void losses_count(struct quality *q, const struct sampler_totals *t, const struct aggregate *a,
		  const struct sideband *sideband);

/*
 * Losses as samples, "[lost samples];reason", so that the profile adds up to the CPU time used. Of a
 * timer that did not fire nobody can say whether it would have hit a target: with a filter such
 * losses stay numbers. 0 or -ENOMEM.
 */
int losses_add(struct profile *p, const struct quality *q, uint64_t period_ns, bool filtered);

#endif
