/* SPDX-License-Identifier: GPL-2.0-or-later */
/* At which rates the parts of a profile were sampled, where they differ or were lower than asked for. */
#ifndef KILN_PROFILE_RATES_H
#define KILN_PROFILE_RATES_H

#include <stdbool.h>
#include <stdint.h>

struct profile;

struct rates {
	/* Of time; 0: not known. The longest is the profile's own period. */
	int64_t least_period_ns, most_period_ns;
	uint64_t throttled_ns; /* time that was sampled less often than asked for */
};

/* A part of the profile that covers duration_ns. */
void rates_add(struct rates *r, int64_t period_ns, uint64_t duration_ns, bool throttled);
/* As comments, where there is something to say: kiln.period_least_ns, of which there is one, and kiln.throttled_ms.
 * 0 or -ENOMEM. */
int rates_store(struct profile *p, const struct rates *r);
/* From them, and the profile's period where it is of time. */
void rates_load(struct rates *r, const struct profile *p);

#endif
