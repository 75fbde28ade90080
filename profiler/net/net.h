/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP requests side by side in one thread, by libcurl (its multi interface, libcurl-multi(3)), which is
 * loaded when it is first needed: kiln builds and runs without it. Follows no redirects, reads no .netrc and
 * no variable for a proxy, verifies certificates, and speaks TLS 1.2 or newer.
 *
 *	net_new(&n, NULL, &why)
 *	net_start(n, &request, done, ctx, NULL)		as often as needed
 *	while (...) net_turn(n, timeout_ms, fd)		calls done() for what has ended
 *	net_free(n)
 */
#ifndef KILN_NET_NET_H
#define KILN_NET_NET_H

#include <stddef.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/why.h"
#include "profiler/net/net_types.h"

struct net;
struct net_transfer;
/* The answer is valid until it returns. May start further requests. */
typedef void net_done(void *ctx, struct net_answer *answer);

/* soname: for tests; NULL: libcurl-gnutls.so.4 or libcurl.so.4. 0; -ENOSYS: no libcurl, with a sentence that
 * says how to get it; or -ENOMEM. */
int net_new(struct net **out, const char *soname, struct why *why);
/* Cancels what goes on; done() is not called for it. NULL is fine. */
void net_free(struct net *n);
DEFINE_CLEANUP(net, net_free)

/* 0, and done() is called once, from net_turn(): also for a request that cannot be made. Or -ENOMEM. *out (may
 * be NULL) is valid until then. */
int net_start(struct net *n, const struct net_request *r, net_done *done, void *ctx,
	      struct net_transfer **out);
/* done() is not called for it any more. */
void net_cancel(struct net *n, struct net_transfer *t);
/* Waits at most timeout_ms for something to happen, also on fd (readable; -1: none), and lets it happen. 0 or
 * -errno. */
int net_turn(struct net *n, int timeout_ms, int fd);
size_t net_running(const struct net *n);

/* One request, waited for. *out is to be released (net_answer_release()) either way. Returns out->err. */
int net_fetch(const struct net_request *r, const char *soname, struct net_answer *out);

#endif
