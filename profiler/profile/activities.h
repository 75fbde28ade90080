/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What time is spent on that is in no one function: throwing exceptions, allocating memory and such. A stack counts for
 * each of these that has a frame in it, by the frame's name. So one sample may count for several.
 */
#ifndef KILN_PROFILE_ACTIVITIES_H
#define KILN_PROFILE_ACTIVITIES_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/profile/profile.h"

/* Key in JSON, title. */
#define ACTIVITIES(X)                                                                              \
	X(EXCEPTIONS, "cpp_exceptions", "C++ exceptions") /* throwing, unwinding, catching */      \
	X(ALLOCATION, "allocation", "malloc and free")                                             \
	X(COPYING, "copying", "memory copying")                                                    \
	X(PAGE_FAULTS, "page_faults", "page faults")                                               \
	X(LOCKS, "locks", "locks") /* waiting for them, and waking who does */                     \
	X(GC, "garbage_collection", "garbage collection")

enum activity {
#define X(name, key, title) ACTIVITY_##name,
	ACTIVITIES(X)
#undef X
		ACTIVITY_COUNT
};
const char *activity_key(enum activity a);
const char *activity_title(enum activity a);

/* Sums one value up, saturating. 0 or -ENOMEM. */
int activities_sum(int64_t out[ACTIVITY_COUNT], const struct profile *p, size_t value);

#endif
