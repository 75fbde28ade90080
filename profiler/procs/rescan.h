/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading /proc again of processes that the events do not tell all about: after events were lost, and
 * when code runs where nothing is known to be mapped (mremap(2) makes no event). A few milliseconds a
 * turn, with little patience for a process that does not answer, and of none again and again.
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
 * Something of a process is not known at that time: it is to be read before all others. False: it is
 * not, because it was lately (a second ago, and the longer the less came of it, up to a minute), or
 * the queue is full.
 */
bool rescan_want(struct rescan *r, pid_t tgid, uint64_t t_ns);

/* Events were lost after that time: all processes are to be read, those known and those that run. */
void rescan_want_all(struct rescan *r, uint64_t t_ns);

/* Whether a process is still to be read. */
bool rescan_is_due(const struct rescan *r, pid_t tgid);
bool rescan_is_idle(const struct rescan *r);

/* Reads what is due, but begins with no process after so long. The process table must know all events
 * up to now. Once an hour all that are known are due, so that one leaves whose end nobody told. */
void rescan_run(struct rescan *r, uint64_t budget_ns);
/* Another time than the hour. */
void rescan_set_period(struct rescan *r, uint64_t period_ns);

#define RESCAN_COUNTERS(X)                                                                         \
	X(read)	   /* processes read again */                                                      \
	X(changed) /* of these, had something mapped that was not known, or not any more */        \
	X(gone)	   /* of these, had ended */                                                       \
	X(stalled) /* did not answer */                                                            \
	X(full)	   /* not read: too many were due, or too many readers hang */

struct rescan_stats {
#define X(name) uint64_t name;
	RESCAN_COUNTERS(X)
#undef X
	uint64_t waiting; /* processes that are due now */
};
void rescan_stats(const struct rescan *r, struct rescan_stats *out);

#endif
