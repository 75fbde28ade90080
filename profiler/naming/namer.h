/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Naming the distinct frames of one aggregate, group by group: what name_frames.c and name_file.c share. */
#ifndef KILN_NAMING_NAMER_H
#define KILN_NAMING_NAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/naming/name_cache.h"
#include "profiler/naming/name_frames.h"
#include "profiler/naming/naming_internal.h"
#include "profiler/profile/profile.h"
#include "profiler/window/aggregate.h"
#include "symbolizer/symbolizer.h"

struct namer {
	struct naming *n;
	const struct aggregate *a;
	struct profile *p;
	struct named_frame *out;
	const uint32_t *group;		/* frame indices of the group being named */
	VEC(struct profile_line) lines; /* scratch */
	VEC(struct cached_line) cached; /* scratch */
};

/* Names the frames group[0..n), which lie in one ELF file. file_id: what the cache knows it by. 0 or
 * -errno. */
int name_in_file(struct namer *w, const struct sym_file *file, uint32_t file_id, size_t n);

/* Lets the owner of the naming do what else there is. */
void namer_tick(const struct namer *w);

#endif
