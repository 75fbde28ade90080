/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What profile stores call a profile by what it counts. */
#ifndef KILN_UPLOAD_PROFILE_TYPE_H
#define KILN_UPLOAD_PROFILE_TYPE_H

#include "profiler/base/buf.h"

struct profile;

/*
 * Appends the value of the label __name__, which is the first part of a profile type in Pyroscope and Parca:
 * "process_cpu" of "process_cpu:cpu:nanoseconds:cpu:nanoseconds". The other parts are the profile's own types and
 * units. The table is in the source; a profile that is not in it is called by its first sample type. Errors stay
 * in b->err.
 */
void profile_type_name(struct buf *b, const struct profile *p);

#endif
