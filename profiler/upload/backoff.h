/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long to wait. Pure: clock and chance are the caller's. */
#ifndef KILN_UPLOAD_BACKOFF_H
#define KILN_UPLOAD_BACKOFF_H

#include <stdint.h>

/* A server that asks for more is not believed. */
#define BACKOFF_MOST_ASKED_S 3600

struct backoff {
	uint64_t least_ns, most_ns;
	unsigned failures; /* one after the other */
};

/* After one more failure: anything up to least_ns, twice as much the next time, and so on up to most_ns ("full
 * jitter"). asked_s: what the server has asked for, at least; -1: nothing. chance: 64 random bits. */
uint64_t backoff_next(struct backoff *b, uint64_t chance, int64_t asked_s);

/* ns, more or less by up to a fifth. */
uint64_t backoff_jitter(uint64_t ns, uint64_t chance);

#endif
