/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hours of the rollup: which there are on a server, and making those that are missing. */
#ifndef KILN_FLEET_ROLLUP_H
#define KILN_FLEET_ROLLUP_H

#include <stddef.h>

#include "profiler/base/why.h"
#include "profiler/fleet/plan.h"

struct shard;

/* Plans ranges that follow each other: those hours from the rollup that are whole and made of what is there now.
 * 0; or, with a sentence, as ch_ask(). */
int rollup_plan(struct plan *out, const struct shard *s, const struct times *ranges, size_t n,
		struct why *why);
/* Makes one hour. 0; or, with a sentence, as ch_tell(). What has begun and not ended counts for nothing. */
int rollup_make(const struct shard *s, const struct hour_print *hour, struct why *why);

#endif
