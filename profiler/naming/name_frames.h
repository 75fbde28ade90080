/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes locations of the distinct frames of an aggregate. Internal to naming.c. */
#ifndef KILN_NAMING_NAME_FRAMES_H
#define KILN_NAMING_NAME_FRAMES_H

#include <stdint.h>

struct aggregate;
struct naming;
struct named_frame;
struct profile;

/* Fills out[] with one entry for each frame of samples. Where there is no memory for a name it is NAMED_SHORT, and
 * without memory for that its location is PROFILE_NONE. 0 or -errno. */
int name_frames(struct naming *n, const struct aggregate *a, struct profile *p,
		struct named_frame *out);

#endif
