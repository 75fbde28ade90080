/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How busy the machine was while a profile was taken, by the periods that kiln counted (quality.h). */
#ifndef KILN_PROFILE_MACHINE_LOAD_H
#define KILN_PROFILE_MACHINE_LOAD_H

#include <stdbool.h>

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

struct machine_load {
	double used; /* CPUs that the profile's samples stand for, on average; 0: not known */
	double cpus; /* CPUs that were sampled; 0: not known, and so is the rest */
	double idle, stolen; /* shares of their time; what is left was busy */
};

/*
 * q may be NULL. Where idle time is not counted (cycles of a PMU, a recording without root, a foreign file) cpus is 0.
 * In a part of what was recorded `used` is of the part, and the rest of the machine. False if nothing is known.
 */
bool machine_load_of(struct machine_load *out, const struct profile *p, const struct quality *q);

#endif
