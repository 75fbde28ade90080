/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a difference between two sums of samples is more than chance. A sum of n samples of `period_ns` is
 * n * period_ns, with a standard deviation of sqrt(n) * period_ns: samples are counted (Poisson).
 */
#ifndef KILN_FLEET_DEVIATION_H
#define KILN_FLEET_DEVIATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is less is noise: many thousand functions are looked at, and hosts differ by more than chance alone. */
#define CHANGE_LEAST_DEVIATIONS	 4.0
#define CHANGE_LEAST_RATIO	 1.2
#define CHANGE_LEAST_SHARE	 0.0005 /* of the larger period's total */
#define OUTLIER_LEAST_DEVIATIONS 5.0
#define OUTLIER_LEAST_SHARE	 0.01 /* of a host's own time */
#define OUTLIER_LEAST_RATIO	 1.25 /* of a host's time as a whole */
#define OUTLIER_LEAST_HOSTS	 3

/* Two periods. `before` may be of another length: it counts `scale` times. */
struct change {
	int64_t after_ns, before_ns;
	double scale; /* length of the later period / that of the earlier one */
	int64_t period_ns;
	int64_t whole_ns; /* the larger of the two totals, the earlier one scaled */
};
/* How many standard deviations it has grown, or shrunk (below 0); 0 if there is nothing. */
double change_deviations(const struct change *c);
/* Above the noise floor: 1 has grown, -1 has shrunk, 0 neither. */
int change_sign(const struct change *c);

/* Of n > 0 values, which are sorted then. */
double deviation_median(double *values, size_t n);
/* Of the same: a standard deviation that outliers do not widen, 1.4826 times the median of distances from `median`.
 * Overwrites the values. */
double deviation_spread(double *values, size_t n, double median);

/* One host's share of a function among the shares of all hosts. */
struct outlier {
	double share, median, spread;
	int64_t host_ns; /* what the share is of */
	int64_t period_ns;
};
/* How many standard deviations the share is above the median, or below. Its own noise and what hosts differ by as a
 * rule both count. */
double outlier_deviations(const struct outlier *o);
bool outlier_differs(const struct outlier *o);

#endif
