/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turns the distinct frames of an aggregate into locations of a profile. Part of naming.c. */
#ifndef KILN_NAMING_NAME_FRAMES_H
#define KILN_NAMING_NAME_FRAMES_H

#include <stdint.h>

struct aggregate;
struct naming;
struct named_frame;
struct profile;

/* One entry per aggregate frame into out, which holds as many. 0 or -errno. */
int name_frames(struct naming *n, const struct aggregate *a, struct profile *p,
		struct named_frame *out);

#endif
