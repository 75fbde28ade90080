/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How delivery to one destination stands, for people: a small file beside its cursor, written when that changes, and
 * otherwise twice a minute at most. */
#ifndef KILN_UPLOAD_DELIVERY_STATUS_H
#define KILN_UPLOAD_DELIVERY_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/why.h"

struct delivery_status {
	int64_t answered_unix_ns;
	bool is_well;		/* it took what it was sent */
	uint64_t windows;	/* that waited then */
	int64_t oldest_unix_ns; /* begin of the oldest of them; 0: none */
	struct why answer;	/* a sentence, clean, no secrets */
};

/* dir: of the cursors. 0; -ENOENT: it has answered nothing yet; -EBADMSG; or another -errno. */
int delivery_status_load(struct delivery_status *out, const char *dir, const char *name);

#endif
