/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State of naming the distinct frames of one aggregate, group by group. name_frames.c and
 * name_file.c share it. */
#ifndef KILN_NAMING_NAMER_H
#define KILN_NAMING_NAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/naming/name_cache.h"
#include "profiler/naming/naming_internal.h"
#include "profiler/profile/profile.h"
#include "profiler/window/aggregate.h"

struct namer {
	struct naming *n;
	const struct aggregate *a;
	struct profile *p;
	struct named_frame *out;
	const uint32_t *group;		/* frame indices of the group being named */
	VEC(struct profile_line) lines; /* scratch */
	VEC(struct cached_line) cached; /* scratch */
};

/* Calls the owner's tick. */
static inline void namer_tick(const struct namer *w)
{
	if (w->n->opts.tick)
		w->n->opts.tick(w->n->opts.tick_ctx);
}

#endif
