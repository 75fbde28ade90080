/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps a store within its bounds: drops whole segments, the oldest first, never the one that windows go
 * into. */
#ifndef KILN_STORE_RETAIN_H
#define KILN_STORE_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

struct store;

struct moment {
	int64_t unix_ns, boot_ns; /* CLOCK_REALTIME, CLOCK_BOOTTIME */
};
struct moment moment_now(void);

/*
 * Drops what is too old, too much, or takes space that others want; and so that `reserve` bytes more
 * will be within the bounds. For space nothing goes unless that makes up for what is lacking. Age counts only while the clock can be believed: for an hour after it has
 * been set by more than ten minutes nothing is too old. Any thread. 0 or -errno.
 */
int retain(struct store *s, uint64_t reserve, struct moment now);
/* Drops the oldest segment: its bytes; 0 if there is none. */
uint64_t retain_drop_one(struct store *s);

/* Whether nothing may be stored now, since others are to have what is free. */
bool retain_is_short_of_space(struct store *s);
/* Whether bytes of the current segment call for retain(). */
bool retain_is_due(struct store *s);

#endif
