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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/why.h"

enum net_version {
	NET_HTTP1,
	NET_HTTP2, /* without TLS by prior knowledge, with TLS by ALPN (RFC 9113, 3.2 and 3.3) */
};

/* Texts of all that may be secret: no error names them. NULL: not used. */
struct net_auth {
	const char *bearer;	     /* "Authorization: Bearer" */
	const char *user, *password; /* "Authorization: Basic" */
	/* AWS Signature Version 4 for the service s3; needs libcurl 7.75. */
	const char *aws_region, *aws_key, *aws_secret, *aws_session_token;
};

/* Paths are opened by net_start(), in PEM. NULL: the system's certificates, none. */
struct net_tls {
	const char *ca_file, *cert_file, *key_file;
};

struct net_request {	    /* all is borrowed until done() has been called */
	const char *method; /* "GET", "POST", "PUT" */
	const char *url;    /* http:// or https:// */
	const char *
		socket; /* path of a unix socket to connect to instead of the URL's host; or NULL */
	const char *proxy;	    /* "http://HOST:PORT", or NULL: none */
	const char *const *headers; /* "Name: value", NULL-terminated; or NULL */
	const void *body;
	size_t len;
	enum net_version version;
	struct net_auth auth;
	struct net_tls tls;
	/* Longest times; stall: without a byte, whole seconds. 0: 10 s, 60 s, 30 s. */
	uint64_t connect_ms, total_ms, stall_ms;
	size_t max_bytes; /* of the answer's body; 0: 1 MiB */
};

struct net_answer {
	int err; /* 0: an answer, of whatever status. -ETIMEDOUT; -EFBIG; -ECONNREFUSED (no connection);
		    -EPROTO (TLS: a certificate that is refused, no common version); -EACCES (a file of
		    struct net_tls); -ENOSYS (a libcurl too old for this request); -ENOMEM; -EIO */
	char why[400];	     /* of err: a sentence without a full stop and without secrets */
	bool is_bad_request; /* err, and trying again cannot help: wrong URL, file or option */
	long status;	     /* of HTTP */
	char content_type[100];
	int64_t retry_after_s;	 /* from "Retry-After", in seconds or as a date; -1: none */
	int grpc_status;	 /* from the header or trailer "grpc-status"; -1: none */
	char grpc_message[300];	 /* percent-decoded, clean UTF-8 */
	struct buf body;	 /* inflated if it came as gzip */
	uint64_t sent, received; /* bytes, with headers */
};

struct net;
struct net_transfer;
/* The answer is valid until it returns. May start further requests. */
typedef void net_done(void *ctx, struct net_answer *answer);

/* soname: for tests; NULL: libcurl.so.4 or libcurl-gnutls.so.4. 0; -ENOSYS: no libcurl, with a sentence that
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

/* One request, waited for. *out is to be released either way. Returns out->err. */
int net_fetch(const struct net_request *r, const char *soname, struct net_answer *out);
void net_answer_release(struct net_answer *a);

#endif
