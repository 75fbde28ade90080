/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open files are few where the limit is low (ulimit -n), and several caches keep some. */
#ifndef KILN_BASE_DESCRIPTORS_H
#define KILN_BASE_DESCRIPTORS_H

#include <stdint.h>

/* How many one of them may keep that wants `most`: an eighth of what this process may open, and at least 8. */
uint32_t descriptors_share(uint32_t most);
/* The same in a process that keeps nothing else but copies of them: half of it. */
uint32_t descriptors_half(uint32_t most);

#endif
