/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The perf sideband: one PERF_COUNT_SW_DUMMY event per CPU with mmap2, build_id, comm, comm_exec and
 * task, stamped CLOCK_BOOTTIME (perf_event_open(2)), read in time order into a process table.
 */
#ifndef KILN_PROCS_SIDEBAND_H
#define KILN_PROCS_SIDEBAND_H

#include <stdint.h>

struct sideband;
struct procs;
struct files;

struct sideband_opts {
	struct procs *procs; /* fed by sideband_poll(); borrowed */
	struct files *files;
	uint32_t ring_bytes; /* per CPU, power of two; 0 = 512 KiB */
};

/*
 * Opens and enables the events on all online CPUs. Kernels without build_id (before 5.12) get
 * events without. 0, -EACCES/-EPERM (say which capability), or -errno.
 */
int sideband_open(struct sideband **out, const struct sideband_opts *opts);
void sideband_close(struct sideband *s);

/* An epoll descriptor, readable when a ring has passed its watermark. */
int sideband_fd(const struct sideband *s);

/*
 * Reads everything in the rings, merges it by time and applies it to the process table. Events
 * stamped later than `up_to_ns` (0 = now) may be held back for the next call, so that no event is
 * applied before an earlier one of another CPU. 0 or -errno.
 */
int sideband_poll(struct sideband *s, uint64_t up_to_ns);

/* CPUs came or went: opens events on new ones. 0 or -errno. */
int sideband_update_cpus(struct sideband *s);

struct sideband_stats {
	uint64_t events, lost /* PERF_RECORD_LOST */, malformed, out_of_order;
};
void sideband_stats(const struct sideband *s, struct sideband_stats *out);

#endif
