/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads whole records from a perf ring buffer, even where they wrap around. No I/O. */
#ifndef KILN_PROCS_RING_H
#define KILN_PROCS_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	const uint8_t *data;
	size_t size;	     /* a power of two */
	uint64_t head, tail; /* bytes ever written and read; head is the last one seen */
	uint8_t *scratch;    /* RING_SCRATCH bytes, for records that wrap around */
};

#define RING_SCRATCH 65536 /* a record's size has 16 bits */

/*
 * The record at the tail, in place or in scratch; *len is its size. Valid until the next call. NULL
 * with *len 0: there is none. NULL with *len not 0: its size is impossible; everything up to the
 * head was skipped.
 */
const void *ring_peek(struct ring *r, size_t *len);
void ring_skip(struct ring *r, size_t len);

#endif
