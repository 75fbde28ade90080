/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What store_maintain() does, at a given time. */
#ifndef KILN_STORE_MAINTAIN_H
#define KILN_STORE_MAINTAIN_H

#include "profiler/store/retain.h"

/* Segments are merged within blocks of hours once such a block is over, then within days. */
#define MAINTAIN_BLOCK_NS (4 * 3600000000000ll)
#define MAINTAIN_DAY_NS	  (24 * 3600000000000ll)

int maintain(struct store *s, struct moment now);

#endif
