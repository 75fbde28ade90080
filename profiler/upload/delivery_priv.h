/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of delivery share. */
#ifndef KILN_UPLOAD_DELIVERY_PRIV_H
#define KILN_UPLOAD_DELIVERY_PRIV_H

#include <stdbool.h>

#include "profiler/base/vec.h"
#include "profiler/store/spool.h"
#include "profiler/upload/backoff.h"
#include "profiler/upload/cursor.h"
#include "profiler/upload/delivery.h"

/* What the log knows of a destination: it says so when that changes. */
enum delivery_said { SAID_NOTHING, SAID_AWAY, SAID_WRONG };

/* The window that is being sent: what is left of it once it is packed. */
struct delivery_item {
	struct spool_place behind;
	int64_t begin_ns;
	uint64_t windows; /* that were merged into it */
	bool is_last;	  /* nothing was behind it when it was taken */
	uint64_t taken_ns;
	struct upload_requests requests;
	size_t next;	 /* the request that is sent now, or next */
	bool is_refused; /* a request of it */
};

struct destination {
	struct delivery *owner;
	struct upload_target *target;
	struct delivery_bounds bounds;
	struct spool_place place; /* behind all that is done */
	bool has_item;
	struct delivery_item item;
	/* Of batches, Unix time; 0: not known. No window is looked for before the next is complete. */
	int64_t due_ns;
	uint64_t phase_ns; /* by which it is late, so that not all hosts send at once */
	/* The request under way. */
	bool is_sending;
	struct net_request request;
	struct net_transfer *transfer;
	const char **headers;
	uint64_t wake_ns; /* CLOCK_MONOTONIC: nothing is to be done before */
	struct backoff backoff;
	unsigned tries;	     /* of this request that were answered UPLOAD_AGAIN_FEW */
	unsigned given_up;   /* requests after that, one after the other: none was taken since */
	uint64_t counted_ns; /* when the windows that wait were */
	bool is_behind;	     /* there was a window the last time */
	enum delivery_said said;
	uint64_t said_ns, refused_ns, partial_ns; /* 0: never */
	enum delivery_said unsaid;		  /* what is to be said when there is room */
	uint64_t unsaid_ns;			  /* since when */
	struct why unsaid_why;
	bool is_cursor_wrong, is_store_wrong; /* and said so */
	enum upload_verdict noted;
	uint64_t noted_ns; /* when its status was written; 0: never */
	struct delivery_stats stats;
};

struct delivery {
	struct delivery_opts opts;
	char *host, *store_path, *cursor_dir;
	struct store *store;
	struct spool *spool;
	struct cursors cursors;
	VEC(struct destination *) destinations;
	VEC(char *) known; /* names of others that are configured */
	/* Ages are not believed for a while after the wall clock was set. */
	int64_t clock_offset_ns;
	bool has_offset;
	uint64_t distrust_until_ns, sweep_ns; /* CLOCK_MONOTONIC */
};

static inline uint64_t delivery_now(const struct delivery *d)
{
	return d->opts.world.monotonic_ns(d->opts.world.ctx);
}

static inline uint64_t delivery_chance(const struct delivery *d)
{
	return d->opts.world.chance(d->opts.world.ctx);
}

/* delivery_item.c: windows, one at a time. */
/* Takes the next window and packs it, if there is one; otherwise puts off the next look. */
void destination_load(struct destination *d, uint64_t now_ns);
/* The window is done with: on to the next one. */
void destination_advance(struct destination *d, const struct spool_place *behind);
/* None is expected yet: puts off the next look. */
void destination_look_later(struct destination *d, uint64_t now_ns);
/* It is not: what is to be sent of it is found out anew. */
void destination_repack(struct destination *d);
/* Windows that began before are too old; 0: none are. */
int64_t destination_since(const struct destination *d);
void destination_release_item(struct destination *d);
/* How many windows wait, by the store; and that none do, which needs no look. */
void destination_count_waiting(struct destination *d, uint64_t now_ns);
void destination_none_wait(struct destination *d, uint64_t now_ns);

/* delivery_say.c: what the log is told. */
/* What changes, and once an hour: at once, or with others when the log has room for it (delivery_say()). */
void destination_say_trouble(struct destination *d, enum delivery_said what, const struct why *why,
			     uint64_t now_ns);
void destination_say_well(struct destination *d);
/* When the log has no room for these, at the next answer. */
void destination_say_refused(struct destination *d, const struct why *why, uint64_t now_ns);
void destination_say_partial(struct destination *d, const struct upload_judgement *j,
			     uint64_t now_ns);
void delivery_say(struct delivery *d, uint64_t now_ns);

/* delivery_status.c: what people are told of an answer. */
void destination_note(struct destination *d, const struct upload_judgement *j, uint64_t now_ns);
/* delivery_batch.c: windows that are sent as one. */
uint64_t destination_batch_ns(const struct destination *d);
/* Merges into *w what belongs into its batch and is not too old (destination_since()), and counts it. 1: complete; 0: more may come, until d->due_ns; or
 * -errno: not now. */
int destination_fill_batch(struct destination *d, struct spool_window *w, int64_t since_ns,
			   uint64_t *windows);
/* When its batch is complete, the next one may not be: when that is. */
void destination_end_batch(struct destination *d, int64_t begin_ns);
/* How long nothing can be complete; 0: look. */
uint64_t destination_batch_wait_ns(const struct destination *d);

/* delivery_send.c: requests, one at a time, and what their answers mean. */
void destination_send(struct destination *d, uint64_t now_ns);

#endif
