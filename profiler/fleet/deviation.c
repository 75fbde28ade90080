// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/deviation.h"

#include <math.h>
#include <stdlib.h>

/* 1 / the 75th percentile of the normal distribution. */
#define MAD_TO_SD 1.4826

/* --- two periods ---------------------------------------------------------------------------------- */

double change_deviations(const struct change *c)
{
	double after = (double)c->after_ns, before = (double)c->before_ns * c->scale;
	/* Of k * before: k times its deviation, so k * k its variance. */
	double variance = (after + before * c->scale) * (double)c->period_ns;

	return variance > 0 ? (after - before) / sqrt(variance) : 0;
}

int change_sign(const struct change *c)
{
	double after = (double)c->after_ns, before = (double)c->before_ns * c->scale;
	double most = fmax(after, before), least = fmin(after, before);

	if (fabs(change_deviations(c)) < CHANGE_LEAST_DEVIATIONS)
		return 0;
	if (most - least < CHANGE_LEAST_SHARE * (double)c->whole_ns ||
	    most < CHANGE_LEAST_RATIO * least)
		return 0;
	return after > before ? 1 : -1;
}

/* --- hosts ---------------------------------------------------------------------------------------- */

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

double deviation_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double deviation_spread(double *values, size_t n, double median)
{
	for (size_t i = 0; i < n; i++)
		values[i] = fabs(values[i] - median);
	return MAD_TO_SD * deviation_median(values, n);
}

double outlier_deviations(const struct outlier *o)
{
	double samples = o->period_ns > 0 ? (double)o->host_ns / (double)o->period_ns : 0;
	/* A share that nobody else has is one of a sample at least, or any would be infinitely rare. */
	double usual = fmax(o->median, samples > 0 ? 1 / samples : 0);
	double variance;

	if (samples <= 0)
		return 0;
	variance = fmin(usual, 1) * (1 - fmin(o->median, 1)) / samples + o->spread * o->spread;
	return variance > 0 ? (o->share - o->median) / sqrt(variance) : 0;
}

bool outlier_differs(const struct outlier *o)
{
	return fabs(o->share - o->median) >= OUTLIER_LEAST_SHARE &&
	       fabs(outlier_deviations(o)) >= OUTLIER_LEAST_DEVIATIONS;
}
