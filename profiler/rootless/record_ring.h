/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring in kiln's own memory, written as the kernel writes perf's rings. One thread writes, the sideband of another
 * reads. Internal to the room.
 */
#ifndef KILN_ROOTLESS_RECORD_RING_H
#define KILN_ROOTLESS_RECORD_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct record_ring;

/* 0 or -errno. */
int record_ring_new(struct record_ring **out, size_t bytes);
void record_ring_free(struct record_ring *r);

/* For sideband_adopt(). */
void *record_ring_pages(struct record_ring *r);
int record_ring_fd(const struct record_ring *r);

/*
 * Appends a record (PERF_RECORD_*) of these parts, and behind them what sample_id_all adds. Each part is filled up
 * to a multiple of 8 bytes; there are at most 7. Without room it is counted, and the next record that finds room is PERF_RECORD_LOST.
 */
void record_ring_put(struct record_ring *r, uint32_t type, uint16_t misc, uint64_t t_ns, pid_t tgid,
		     pid_t tid, const struct iovec *parts, size_t n);
/* The same for PERF_RECORD_SAMPLE, whose first parts are what others have at the end. */
void record_ring_put_sample(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid,
			    const struct iovec *parts, size_t n);

#endif
