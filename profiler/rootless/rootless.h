/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples for who may not load BPF programs: of processes of one's own, without frames of the
 * kernel. Two ways, and the first that works is taken:
 *
 *   events   perf events of the targets' threads (task_events.h)
 *   stops    threads on a CPU are stopped for microseconds and read (stops.h)
 *
 * Either way a ring of perf's format holds samples with registers and stack, and what processes did.
 * The sideband reads it and hands events on to rootless_seen(). What comes out is a drained window and raw
 * samples, as of the BPF programs when these leave the walk to user space. One thread.
 */
#ifndef KILN_ROOTLESS_ROOTLESS_H
#define KILN_ROOTLESS_ROOTLESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/sampler/sampler.h"

struct event;
struct raw_queue;
struct rootless;
struct sideband;
struct window;

/* Finds out which way works. Sampling does not start yet. On failure *why is a sentence for the user.
 * 0 or -errno. */
int rootless_open(struct rootless **out, const struct sampler_opts *opts, const char **why);
void rootless_close(struct rootless *r);

/* For sideband_opts.seen, with the rootless as ctx. */
void rootless_seen(void *ctx, const struct event *e);
/* The sideband that reads its rings; borrowed. Call before targets are added. */
void rootless_connect(struct rootless *r, struct sideband *s);

/* Adds a process and the descendants that it forks from now on. 0 or -errno. */
int rootless_add_target(struct rootless *r, pid_t tgid, const char **why);

/* Before the start, processes are followed and nothing is sampled. 0 or -errno. */
int rootless_start(struct rootless *r, const char **why);
void rootless_stop(struct rootless *r);

/* Raw samples of the window that is filling; borrowed. */
struct raw_queue *rootless_raw(struct rootless *r);
/* Ends the window and gives it to the caller. 0 or -ENOMEM. */
int rootless_window(struct rootless *r, struct window **out);

/* CPU time of all targets since the start, and of what they waited for. Perf events go when a program gains privileges:
 * what they did not count of it is lost. Stops know it themselves. */
void rootless_used(struct rootless *r, uint64_t used_ns);
void rootless_totals(struct rootless *r, struct sampler_totals *out);

enum rootless_way { ROOTLESS_EVENTS, ROOTLESS_STOPS };
enum rootless_way rootless_way(const struct rootless *r);
/* A word for each way: "events", "stops". */
const char *rootless_way_name(enum rootless_way way);
/* CPUs that are sampled. */
size_t rootless_cpus(const struct rootless *r);

#endif
