/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to cost_sql() and its like. They are a stranger's: any bytes, any numbers. */
#ifndef KILN_FLEET_COST_READ_H
#define KILN_FLEET_COST_READ_H

#include "profiler/base/why.h"
#include "profiler/fleet/costs.h"

struct ch_answer;

/* Adds all rows; those of the whole to *whole alone (may be NULL: then there is no such column). 0, or with a sentence:
 * -EBADMSG (it has not the columns), -EFBIG, -ENOMEM. */
int cost_read(struct costs *out, struct cost_values *whole, const struct ch_answer *a,
	      struct why *why);

#endif
