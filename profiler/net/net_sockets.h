/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that libcurl has opened, and the end of those that hold it. Frames of HTTP/2 that concern no request
 * (WINDOW_UPDATE, PRIORITY) it reads for as long as they come, and neither looks at the time nor calls anybody
 * meanwhile. A thread notices that, and shuts the socket down.
 */
#ifndef KILN_NET_NET_SOCKETS_H
#define KILN_NET_NET_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

struct net_sockets;

/* NULL when out of memory. The thread comes with the first net_sockets_turn(): until then the process can still be
 * confined. */
struct net_sockets *net_sockets_new(void);
/* Closes none: libcurl has by then. NULL is fine. */
void net_sockets_free(struct net_sockets *s);

/* Its number, which no other one ever has; from 1 on. */
uint64_t net_sockets_add(struct net_sockets *s, int fd);
/* Closes it, so that no other file is taken for it. */
void net_sockets_close(struct net_sockets *s, int fd);
/* The open one of this local port; 0: there is none. */
uint64_t net_sockets_find(struct net_sockets *s, long port);
/* Bytes that it has received; false: it is closed, or of a kind that does not count. */
bool net_sockets_received(struct net_sockets *s, uint64_t number, uint64_t *bytes);
/* Whether the thread has ended it. */
bool net_sockets_is_shut(struct net_sockets *s, uint64_t number);

/* libcurl goes to work, or has come back. */
void net_sockets_turn(struct net_sockets *s, bool is_at_work);
/* It has called back, so nothing holds it. */
void net_sockets_sign(struct net_sockets *s);

#endif
