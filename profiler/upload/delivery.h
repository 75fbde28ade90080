/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivers the windows of a store to destinations, at least once within bounds. The store is the spool: each
 * destination has a cursor, a place in the order in which windows were written, and a window is behind the
 * cursor once its destination has answered. A destination that stalls holds up no other. Nothing is queued in
 * memory but the window that is being sent.
 *
 *	delivery_new(&d, &opts, &why); delivery_add(d, target); ...
 *	while (...) delivery_turn(d, fd)
 *	delivery_free(d)			cursors are on disk
 */
#ifndef KILN_UPLOAD_DELIVERY_H
#define KILN_UPLOAD_DELIVERY_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/upload/target.h"

struct delivery_opts { /* borrowed */
	const char *store_path;
	const char *cursor_dir; /* one small file a destination, written anew and renamed */
	const char *host;
	uint64_t
		max_age_ns; /* older windows are dropped and counted; also kind->max_age_ns less some */
	uint64_t max_bytes; /* of the store's windows that wait; 0: the store's own limits */
	uint64_t window_ns; /* how often a window comes, for jitter: +-20 % */
	uint64_t backoff_least_ns, backoff_most_ns; /* 0: 1 s, 5 min; full jitter */
	unsigned few;				    /* tries of UPLOAD_AGAIN_FEW; 0: 5 */
	uint64_t breaker_ns; /* after UPLOAD_WRONG: how long nothing is sent; 0: 5 min */
};

/* For one destination, since delivery_new(). */
struct delivery_stats {
	uint64_t windows, samples, requests, bytes; /* delivered; sent */
	uint64_t retries, failures;
	uint64_t rejected; /* samples refused in part (UPLOAD_PARTIAL) */
	uint64_t dropped_refused, dropped_age, dropped_bytes, dropped_gone; /* windows */
	uint64_t waiting; /* windows behind the store's end; 0 when it is not known */
	int64_t lag_ns;	  /* since the beginning of the oldest that waits */
	bool is_open;	  /* the circuit breaker: nothing is sent now */
};

struct delivery;

int delivery_new(struct delivery **out, const struct delivery_opts *o, struct why *why);
/* The target becomes the delivery's. -EEXIST: another one has its name. */
int delivery_add(struct delivery *d, struct upload_target *t, struct why *why);
/* Sends what can be sent, and waits for something to happen: at most timeout_ms, also on fd. 0 or -errno. */
int delivery_turn(struct delivery *d, int timeout_ms, int fd);
size_t delivery_count(const struct delivery *d);
void delivery_stats(const struct delivery *d, size_t i, struct delivery_stats *out);
const char *delivery_name(const struct delivery *d, size_t i);
void delivery_free(struct delivery *d);
DEFINE_CLEANUP(delivery, delivery_free)

#endif
