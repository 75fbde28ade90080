/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The perf sideband: one PERF_COUNT_SW_DUMMY event per CPU with mmap2 and build_id (unless samples tell
 * of mappings), comm, comm_exec and task, stamped CLOCK_BOOTTIME (perf_event_open(2)), read in time order into a process table; and
 * ksymbol, what comes into the kernel's code and leaves it, into a timeline of that.
 */
#ifndef KILN_PROCS_SIDEBAND_H
#define KILN_PROCS_SIDEBAND_H

#include <stdbool.h>
#include <stdint.h>

struct sideband;
struct procs;
struct files;
struct ksyms;

struct sideband_opts {
	struct procs *procs; /* fed by sideband_poll(); borrowed */
	struct files *files;
	struct ksyms *ksyms; /* as procs; NULL: of no interest */
	uint32_t ring_bytes; /* per CPU, power of two; 0 = 512 KiB */
	bool no_mappings;    /* samples tell of them, or nobody asks: no event is made for any */
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
 * Applies all events up to a time (0 = now) to the process table, those of all CPUs in the order of
 * their times. Later ones stay in the rings for the next call. May sleep for a millisecond, until
 * events of that time cannot but be there. 0 or -errno.
 */
int sideband_poll(struct sideband *s, uint64_t up_to_ns);

/*
 * Opens events on CPUs that have come, closes those of CPUs that have gone. Cheap enough for every
 * turn of a loop: it looks once a second. 0 or -errno.
 */
int sideband_update_cpus(struct sideband *s);

/* Whether events were lost since the last call, and after which time. */
bool sideband_take_loss(struct sideband *s, uint64_t *from_ns);

struct sideband_stats {
	uint64_t events, lost /* PERF_RECORD_LOST */, malformed, out_of_order;
};
void sideband_stats(const struct sideband *s, struct sideband_stats *out);

#endif
