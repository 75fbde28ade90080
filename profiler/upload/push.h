/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends items to one destination, one after the other, and waits for each: for who has files and no spool. What
 * may be sent again is, as profiler/upload/delivery.h does it, but only for a time.
 */
#ifndef KILN_UPLOAD_PUSH_H
#define KILN_UPLOAD_PUSH_H

#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/upload/target.h"

struct push_opts {
	uint64_t
		timeout_ns; /* how long a request is tried; one that is under way then is given up */
	unsigned few;	    /* tries of UPLOAD_AGAIN_FEW; 0: 5 */
	uint64_t backoff_least_ns, backoff_most_ns; /* 0: 1 s, 20 s; full jitter */
	/* Called before it waits; may be NULL. */
	void (*on_wait)(void *ctx, const struct upload_judgement *j, uint64_t wait_ns);
	void *ctx;
};

struct push_stats {
	uint64_t requests, retries, bytes, samples, rejected;
};

struct push;

/* Borrows the target. 0; -ENOSYS (no libcurl) with a sentence; or -ENOMEM. */
int push_new(struct push **out, const struct upload_target *t, const struct push_opts *o,
	     struct why *why);
/*
 * Sends all requests of an item. 0: it was taken, perhaps in part (*out says so); else *out is what became of the
 * first request that was not: -EACCES (UPLOAD_WRONG: other items would fare no better), -EINVAL (UPLOAD_REFUSED, or
 * it cannot be sent), -ETIMEDOUT (it was tried until the time was over), or -ENOMEM.
 */
int push_send(struct push *p, const struct upload_item *item, struct upload_judgement *out);
void push_stats(const struct push *p, struct push_stats *out);
void push_free(struct push *p);
DEFINE_CLEANUP(push, push_free)

#endif
