/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drop_frames and keep_frames of a profile: the insides of an allocator or profiler, which its reader is to hide. */
#ifndef KILN_PROFILE_PRUNE_H
#define KILN_PROFILE_PRUNE_H

#include "profiler/profile/profile.h"

/*
 * Copies a profile without the frames that its drop_frames and keep_frames exclude, as google/pprof's
 * RemoveUninteresting() does. From the root on, the first function whose whole name matches
 * drop_frames and not keep_frames goes, with all that it called. A name counts without the
 * parameters of C++. Frames before the first other one stay, so no stack becomes empty.
 *
 * *out is NULL if the profile has no drop_frames. -EINVAL with *why, a sentence without a full stop, if
 * one of them is no regular expression or too costly; 0 or -ENOMEM.
 */
int profile_prune(struct profile **out, const struct profile *src, const char **why);

#endif
