/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times of connections, and memory of answers. A client that sends a byte every few seconds is never idle: its connection is
 * shut down when its time is over. Thread-safe.
 */
#ifndef KILN_HTTP_WATCH_H
#define KILN_HTTP_WATCH_H

#include <stddef.h>

#define WATCH_LISTENERS	  2
#define WATCH_CONNECTIONS 256 /* of a listener */
/* That it has room for: from then on, a new one ends the one whose time is over first. */
#define WATCH_ROOM 16
/* Of answers that clients have yet to take: above that the one whose time is over first goes. */
#define WATCH_BYTES (256u << 20)
#define WATCH_MAX   (WATCH_LISTENERS * WATCH_CONNECTIONS)

struct MHD_Connection;
struct listener;
struct metrics;
struct watch;

struct watch *watch_new(struct metrics *m); /* NULL when out of memory */
void watch_free(struct watch *w);

/* For so many seconds. Where the listener has little room left, another one of its connections goes, so that slow
 * clients cannot keep the others out; never one that an answer is made for. */
void watch_add(struct watch *w, struct MHD_Connection *c, const struct listener *l,
	       unsigned seconds);
/* From now on so many seconds; 0: no end, the server works on an answer. */
void watch_extend(struct watch *w, struct MHD_Connection *c, unsigned seconds);
/* The same when its answer of so many bytes is there. Where all answers have too many, others go, so that clients who do
 * not read keep no memory from the others. */
void watch_answer(struct watch *w, struct MHD_Connection *c, size_t bytes, unsigned seconds);
void watch_remove(struct watch *w, struct MHD_Connection *c);

/* Shuts down what is over; to be called about once a second. */
void watch_look(struct watch *w);
void watch_end_all(struct watch *w);

#endif
