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
#include <stddef.h>
#include <stdint.h>

struct event;
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
	/* It opens no events of its own: sideband_adopt() brings the rings of somebody else. */
	bool adopts;
	/* Sees every event when it has been applied, in the order of time. NULL: nobody. */
	void (*seen)(void *ctx, const struct event *e);
	void *seen_ctx;
};

/*
 * Opens and enables the events on all online CPUs. Before 5.12 they have no build_id. 0, -EACCES or
 * -EPERM (a capability is missing), or -errno.
 */
int sideband_open(struct sideband **out, const struct sideband_opts *opts);
void sideband_close(struct sideband *s);

/*
 * A ring as perf's: a control page, and behind it ring_bytes, a power of two. Events in it are of EVENT_SAMPLE_TYPE.
 * fd becomes readable when there is something to read; -1: never. Both are borrowed. 0 or -errno.
 */
int sideband_adopt(struct sideband *s, int fd, void *pages, size_t ring_bytes);

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
