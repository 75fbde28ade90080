/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The perf sideband: on each CPU a PERF_COUNT_SW_DUMMY event with mmap2 and build_id (unless
 * samples report mappings), comm, comm_exec, task and ksymbol, stamped CLOCK_BOOTTIME
 * (perf_event_open(2)). Its records are applied in the order of time: processes to the process
 * table, kernel code to ksyms. One thread.
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
	struct procs *procs; /* sideband_poll() feeds it; borrowed */
	struct files *files;
	struct ksyms *ksyms; /* likewise; NULL: not wanted */
	uint32_t ring_bytes; /* for each CPU, a power of two; 0 = 512 KiB */
	bool no_mappings;    /* make no mapping events, because samples report mappings */
};

/*
 * Opens and enables the events on all online CPUs. Before 5.12 they have no build_id. 0, -EACCES or
 * -EPERM (a capability is missing), or -errno.
 */
int sideband_open(struct sideband **out, const struct sideband_opts *opts);
void sideband_close(struct sideband *s);

/* An epoll descriptor, readable when a ring has passed its watermark. */
int sideband_fd(const struct sideband *s);

/*
 * Applies the events of all CPUs up to a time (0 = now) in the order of time. Later events stay in
 * the rings. May sleep for a millisecond, until all events of that time have appeared. 0 or -errno.
 */
int sideband_poll(struct sideband *s, uint64_t up_to_ns);

/*
 * Opens events on CPUs that came online, and closes those of CPUs that went. Looks once a second,
 * so it may be called every turn. 0 or -errno.
 */
int sideband_update_cpus(struct sideband *s);

/* True if events were lost since the last call; gives the time after which. */
bool sideband_take_loss(struct sideband *s, uint64_t *from_ns);

struct sideband_stats {
	uint64_t events, lost /* PERF_RECORD_LOST */, malformed, out_of_order;
	uint64_t from_the_future; /* got the time when they were read */
};
void sideband_stats(const struct sideband *s, struct sideband_stats *out);

#endif
