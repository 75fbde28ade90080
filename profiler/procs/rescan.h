/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rescans: reads /proc of processes again that events do not fully describe. That is after events
 * were lost, and when code runs where nothing is known to be mapped (mremap(2) makes no event). A
 * turn takes a few milliseconds. A process that does not answer gets little time, and longer and
 * longer pauses. One thread.
 */
#ifndef KILN_PROCS_RESCAN_H
#define KILN_PROCS_RESCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procs;
struct rescan;

int rescan_new(struct rescan **out, struct procs *procs);
void rescan_free(struct rescan *r);

/*
 * Wants a process rescanned before all others, because its mappings at t_ns are unknown. False: it
 * will not be, because it was recently (a second ago; up to a minute if rescans found nothing), or
 * because the queue is full.
 */
bool rescan_want(struct rescan *r, pid_t tgid, uint64_t t_ns);

/* Wants all known and running processes rescanned, because events after t_ns were lost. */
void rescan_want_all(struct rescan *r, uint64_t t_ns);

/* True if a process still waits for its rescan. */
bool rescan_is_due(const struct rescan *r, pid_t tgid);
bool rescan_is_idle(const struct rescan *r);

/*
 * Rescans due processes, and starts with none after budget_ns. The process table must have all
 * events up to now. Once an hour all known processes become due, to find those whose end was
 * missed.
 */
void rescan_run(struct rescan *r, uint64_t budget_ns);
/* Sets another interval than an hour. */
void rescan_set_period(struct rescan *r, uint64_t period_ns);

#define RESCAN_COUNTERS(X)                                                                         \
	X(read)	   /* processes rescanned */                                                       \
	X(changed) /* of these, with new or missing mappings */                                    \
	X(gone)	   /* of these, ended */                                                           \
	X(stalled) /* hung */                                                                      \
	X(full)	   /* not rescanned: too many due, or too many readers hang */

struct rescan_stats {
#define X(name) uint64_t name;
	RESCAN_COUNTERS(X)
#undef X
	uint64_t waiting; /* due now */
};
void rescan_stats(const struct rescan *r, struct rescan_stats *out);

#endif
