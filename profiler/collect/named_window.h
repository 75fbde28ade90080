/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the collector hands out: the waist between what samples and what keeps, sends or shows. Whoever
 * takes it need not know the kernel, processes or files. */
#ifndef KILN_COLLECT_NAMED_WINDOW_H
#define KILN_COLLECT_NAMED_WINDOW_H

#include <stdint.h>

#include "profiler/profile/quality.h"

struct profile;

struct named_window {
	struct profile
		*profile; /* named, with its losses as frames; the quality is not stored in it */
	struct quality
		quality; /* of this window alone; windows add up to what the kernel counted */
	int64_t begin_unix_ns;
	uint64_t duration_ns;
};
void named_window_release(struct named_window *w);

#endif
