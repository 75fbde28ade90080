/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A named window: what the collector hands out. Code that takes it needs no knowledge of the
 * kernel, processes or files. */
#ifndef KILN_COLLECT_NAMED_WINDOW_H
#define KILN_COLLECT_NAMED_WINDOW_H

#include <stdint.h>

#include "profiler/profile/quality.h"

struct profile;

struct named_window {
	struct profile *profile; /* named, with losses as frames; its quality is not stored in it */
	struct quality quality; /* of this window only; windows add up to what the kernel counted */
	int64_t begin_unix_ns;
	uint64_t duration_ns;
};
void named_window_release(struct named_window *w);

#endif
