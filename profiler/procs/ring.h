/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records out of a perf ring buffer, whole even where they wrap around. Pure; no I/O. */
#ifndef KILN_PROCS_RING_H
#define KILN_PROCS_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	const uint8_t *data;
	size_t size;	     /* a power of two */
	uint64_t head, tail; /* bytes ever written and read; head as last seen */
	uint8_t *scratch;    /* RING_SCRATCH bytes, for a record that wraps around */
};

#define RING_SCRATCH 65536 /* a record's size has 16 bits */

/*
 * The record at the tail, in place or in scratch, valid until the next call; *len is its size. NULL
 * when there is none. A record of an impossible size makes everything up to the head unreadable: it
 * is skipped, NULL is returned and *len is not 0.
 */
const void *ring_peek(struct ring *r, size_t *len);
void ring_skip(struct ring *r, size_t len);

#endif
