/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times of connections. A client that sends a byte every few seconds is never idle: its connection is
 * shut down when its time is over. Thread-safe.
 */
#ifndef KILN_HTTP_WATCH_H
#define KILN_HTTP_WATCH_H

#define WATCH_MAX 512 /* connections */

struct MHD_Connection;
struct metrics;
struct watch;

struct watch *watch_new(struct metrics *m); /* NULL when out of memory */
void watch_free(struct watch *w);

void watch_add(struct watch *w, struct MHD_Connection *c, unsigned seconds);
/* From now on so many seconds; 0: no end, the server works on an answer. */
void watch_extend(struct watch *w, struct MHD_Connection *c, unsigned seconds);
void watch_remove(struct watch *w, struct MHD_Connection *c);

/* Shuts down what is over; to be called about once a second. */
void watch_look(struct watch *w);
void watch_end_all(struct watch *w);

#endif
