/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivers the windows of a store to destinations, at least once within bounds. The store is the spool: each
 * destination has a cursor, a place in the order in which windows were written, and a window is behind the
 * cursor once its destination has answered. A destination that stalls holds up no other. Nothing is queued in
 * memory but the window that is being sent.
 *
 *	delivery_new(&d, &opts, &why); delivery_add(d, target, NULL, &why); ...
 *	while (...) delivery_turn(d, timeout_ms, fd)
 *	delivery_free(d)			cursors are on disk
 *
 * A destination that is new begins at the store's end. One whose cursor cannot be read begins with the oldest
 * window that its bounds allow: it may get windows twice, and misses none. The cursor of one that is not added any
 * more is kept for some days (cursor.h), and what it had not got is said in the log.
 */
#ifndef KILN_UPLOAD_DELIVERY_H
#define KILN_UPLOAD_DELIVERY_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/upload/target.h"

/* What delivery needs of the world outside. Tests bring their own. */
struct delivery_world {
	void *ctx;
	/* As in profiler/net/net.h. */
	int (*start)(void *ctx, const struct net_request *r, net_done *done, void *done_ctx,
		     struct net_transfer **out);
	void (*cancel)(void *ctx, struct net_transfer *t);
	int (*turn)(void *ctx, int timeout_ms, int fd);
	/* Waiting is by the first. The last can be set: it says how old windows are. */
	uint64_t (*monotonic_ns)(void *ctx);
	uint64_t (*boottime_ns)(void *ctx); /* goes on while the machine sleeps */
	int64_t (*unix_ns)(void *ctx);
	uint64_t (*chance)(void *ctx); /* random bits */
};

/* The network and the clocks. */
struct delivery_world delivery_real_world(struct net *n);

struct delivery_opts { /* texts are borrowed by delivery_new() */
	struct delivery_world world;
	const char *store_path;
	/* Whether a destination had a place before this process: without one here it begins with all there is, and
	 * not with what comes. NULL: none had. */
	bool (*has_begun)(void *ctx, const char *name);
	void *begun_ctx;
	const char *cursor_dir; /* one small file a destination, written anew and renamed */
	const char *host;
	/* Keys of labels that tell series apart beside the usual ones, as in struct upload_item;
	 * borrowed until delivery_free(). */
	const char *const *labels;
	uint64_t window_ns; /* how often a window comes, for jitter: +-20 % */
	uint64_t backoff_least_ns, backoff_most_ns; /* 0: 1 s, 5 min; full jitter */
	unsigned few;	     /* tries of UPLOAD_AGAIN_FEW, while other requests are taken; 0: 5 */
	uint64_t breaker_ns; /* after UPLOAD_WRONG: how long nothing is sent; 0: 5 min */
};

struct delivery_bounds {
	/* Older windows are dropped and counted; 0: a day. At most kind->max_age_ns less some. */
	uint64_t max_age_ns;
	/* Of the store's windows that wait: beyond it the oldest are dropped and counted. 0: the store's own limits. */
	uint64_t max_bytes;
	/* Windows that begin in the same so much of time, counted from midnight (UTC), are merged into one. 0: the
	 * kind's own, mostly a window each. */
	uint64_t batch_ns;
};

/* For one destination, since delivery_new(). X(id, kind, unit, "name after kiln_upload_", "labels", "help") */
#define DELIVERY_STATS(X)                                                                          \
	X(windows, counter, ONE, "windows_total", "result=\"delivered\"",                          \
	  "Windows, by what became of them.")                                                      \
	X(dropped_refused, counter, ONE, "windows_total", "result=\"refused\"", "")                \
	X(dropped_age, counter, ONE, "windows_total", "result=\"too_old\"", "")                    \
	X(dropped_bytes, counter, ONE, "windows_total", "result=\"too_many\"", "")                 \
	X(dropped_gone, counter, ONE, "windows_total", "result=\"gone\"", "")                      \
	X(samples, counter, ONE, "samples_total", "result=\"delivered\"", "Samples sent.")         \
	X(rejected, counter, ONE, "samples_total", "result=\"rejected\"", "")                      \
	X(requests, counter, ONE, "requests_total", "", "Requests that were answered, or failed.") \
	X(failures, counter, ONE, "failures_total", "", "Of these, those that were not taken.")    \
	X(retries, counter, ONE, "retries_total", "", "Requests made once more.")                  \
	X(bytes, counter, ONE, "bytes_total", "", "Bytes sent.")                                   \
	X(cursor_errors, counter, ONE, "cursor_errors_total", "",                                  \
	  "Cursors that could not be written: windows may come twice.")                            \
	X(waiting, gauge, ONE, "waiting_windows", "", "Windows in the store that it has to get.")  \
	X(lag_ns, gauge, NS, "lag_seconds", "", "Age of the oldest of them.")                      \
	X(is_open, gauge, ONE, "paused", "", "1 while nothing is sent, after failures.")

struct delivery_stats {
#define X(id, ...) uint64_t id;
	DELIVERY_STATS(X)
#undef X
};

struct delivery;

/* 0 or -errno with a sentence: -EBUSY (another process delivers from this store), -ENOENT, ... */
int delivery_new(struct delivery **out, const struct delivery_opts *o, struct why *why);
/* The target becomes the delivery's when this returns 0. bounds: NULL: those of 0. -EEXIST: another one has its
 * name; or another -errno. */
int delivery_add(struct delivery *d, struct upload_target *t, const struct delivery_bounds *bounds,
		 struct why *why);
/* One that is configured and cannot be added now: its cursor stays. 0 or -ENOMEM. */
int delivery_know(struct delivery *d, const char *name);
/* To be called at the end: where the store's path leads elsewhere by now, what waits counts as gone. */
void delivery_leave(struct delivery *d);
/* Sends what can be sent, and waits for something to happen: at most timeout_ms, also on fd. 0 or -errno. */
int delivery_turn(struct delivery *d, int timeout_ms, int fd);
size_t delivery_count(const struct delivery *d);
void delivery_stats(struct delivery *d, size_t i, struct delivery_stats *out);
const char *delivery_name(const struct delivery *d, size_t i);
void delivery_free(struct delivery *d);
DEFINE_CLEANUP(delivery, delivery_free)

#endif
