/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts that differ from the others, and in which functions. Shares are compared, not time: a host with more work is
 * no outlier by that alone. One with more CPU time for each second is, and is shown as such. The rule is
 * outlier_differs() (deviation.h).
 */
#ifndef KILN_FLEET_OUTLIERS_H
#define KILN_FLEET_OUTLIERS_H

#include <stdbool.h>

#include "profiler/fleet/costs.h"

struct outliers_input {		       /* borrowed, with their index: not sorted yet */
	const struct costs *hosts;     /* name: the host; self_ns: all of its time */
	const struct costs *durations; /* name: the host; self_ns: how long it was sampled */
	const struct costs *cells;     /* name, module, of: the host */
	enum costs_order by;	       /* which of the cells' values */
	int64_t period_ns;
};

struct outlier_function {
	uint32_t name, module; /* strings of the cells */
	double share, median;
	double deviations;
	double extra_ns; /* of the host's time, more than by the median; below 0: less */
};

struct outlier_host {
	uint32_t host; /* string of the hosts */
	int64_t cpu_ns;
	double cores, usual_cores; /* CPU time for each second that was sampled; 0: not known */
	bool is_busy, is_idle;	   /* they differ in that */
	VEC(struct outlier_function) functions; /* the most extra time first, by its amount */
	double extra_ns;			/* the sum of amounts */
};

struct outliers {		    /* all-zero is empty */
	VEC(struct outlier_host) v; /* only those that differ, the most extra time first */
	size_t n_hosts;		    /* that were compared */
};

/* 0, -ERANGE (fewer than OUTLIER_LEAST_HOSTS), or -ENOMEM. */
int outliers_find(struct outliers *out, const struct outliers_input *in);
void outliers_release(struct outliers *o);

#endif
