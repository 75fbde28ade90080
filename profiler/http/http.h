/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's HTTP server: API, metrics, page, live profiles. It runs in a process of its own, which
 * needs no privilege: it reads the store, and asks through live_fd for what only others can do. Every
 * request is hostile: sizes, times and numbers have caps, and no path of a request is ever opened.
 *
 *	http_listen_tcp(&opts.tcp_fd, "127.0.0.1:7676", &why) and so on; now privileges may go
 *	http_start(&server, &opts)
 *	every second: http_look(server)
 *	http_stop(server)
 */
#ifndef KILN_HTTP_HTTP_H
#define KILN_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/why.h"

struct metrics;

struct http_opts { /* everything is borrowed */
	const char *store_path;
	int tcp_fd, unix_fd; /* listening sockets, or -1 */
	const char *const
		*hosts;		/* names of this host beside localhost; NULL-terminated, or NULL */
	const char *token;	/* requests by TCP must bear it, or NULL */
	const char *cert, *key; /* PEM of the TCP listener's TLS, or NULL */
	uint64_t query_ns;	/* a query may read the store for this long; 0: HTTP_QUERY_S */
	struct metrics *metrics;
};

struct server;

/* Answers from now on, in threads of its own, which take no signals. The sockets are the server's then. 0
 * or -errno; the reason is logged. */
int http_start(struct server **out, const struct http_opts *opts);
/* Where live profiles are asked for (profiler/http/live.h); the descriptor becomes the server's. */
void http_set_live(struct server *s, int fd);
/* Ends connections that take too long. False: a query hangs, and no thread can be ended. Only the process can,
 * without http_stop(). */
bool http_look(struct server *s);
/* Answers no more. */
void http_stop(struct server *s);

/* "127.0.0.1:7676", "[::1]:7676", "localhost:7676". The socket is close-on-exec. 0, or -errno with a
 * sentence in *why. */
int http_listen_tcp(int *fd, const char *address, struct why *why);
/* A unix socket of mode 0660, for a group if gid is not (gid_t)-1. An old one nobody listens on goes. */
int http_listen_unix(int *fd, const char *path, gid_t gid, struct why *why);
/* Removes one that nobody listens on any more; what else there is stays. */
void http_remove_unix(const char *path);

#endif
