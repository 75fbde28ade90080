/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cost more in one period than in the one before, or less, above the noise floor (deviation.h). */
#ifndef KILN_FLEET_GROWTH_H
#define KILN_FLEET_GROWTH_H

#include "profiler/fleet/costs.h"

struct growth_input {
	const struct costs *costs; /* with the period before */
	enum costs_order by;	   /* which values */
	struct cost_values whole;  /* of everything */
	int64_t period_ns;	   /* of samples */
	double scale;		   /* length of the later period / that of the earlier one */
};

struct growth_row {
	size_t cost; /* index */
	int64_t after_ns;
	double before_ns; /* scaled */
	double deviations;
};

struct growth {				      /* all-zero is empty */
	VEC(struct growth_row) grown, shrunk; /* the largest difference first */
};

/* 0 or -ENOMEM. */
int growth_find(struct growth *out, const struct growth_input *in);
void growth_release(struct growth *g);

#endif
