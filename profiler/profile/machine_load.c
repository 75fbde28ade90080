// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <string.h>

#include "profiler/profile/machine_load.h"
#include "profiler/profile/table.h"

/* Only of CPU time: a profile of memory or of waiting says nothing of CPUs. Nor does a difference of two. */
static double cpu_ns_of(const struct profile *p)
{
	for (size_t i = 0; i < p->sample_types.len; i++)
		if (!strcmp(profile_text(p, p->sample_types.data[i].type), "cpu") &&
		    !strcmp(profile_text(p, p->sample_types.data[i].unit), "nanoseconds"))
			return profile_is_difference(p, i) ? 0 : (double)profile_total(p, i);
	return 0;
}

/* The period of a sample, on average. */
static double period_ns_of(const struct profile *p)
{
	double n = (double)profile_samples(p);

	return n > 0 ? cpu_ns_of(p) / n : 0;
}

/* Without idle periods either no CPU was ever idle, and all were counted; or the timers rest while it is. */
static bool counts_idle(const struct quality *q, double cpus)
{
	return q->idle || fabs(cpus - round(cpus)) < 0.02 * cpus;
}

bool machine_load_of(struct machine_load *out, const struct profile *p, const struct quality *q)
{
	double duration = (double)p->duration_ns, cpus;

	*out = (struct machine_load){0};
	if (p->duration_ns <= 0 || cpu_ns_of(p) <= 0)
		return false;
	out->used = cpu_ns_of(p) / duration;
	if (!q || !q->expected || quality_rootless(p))
		return true;
	cpus = (double)q->expected * period_ns_of(p) / duration;
	if (!counts_idle(q, cpus))
		return true;
	out->cpus = cpus;
	out->idle = fmin((double)q->idle / (double)q->expected, 1);
	out->stolen = fmin((double)q->stolen / (double)q->expected, 1 - out->idle);
	return true;
}
