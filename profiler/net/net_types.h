/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request of HTTP and its answer. */
#ifndef KILN_NET_NET_TYPES_H
#define KILN_NET_NET_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/buf.h"

enum net_version {
	NET_HTTP1,
	NET_HTTP2, /* without TLS by prior knowledge, with TLS by ALPN (RFC 9113, 3.2 and 3.3) */
};

/* Texts of all that may be secret: no error names them. NULL: not used. */
struct net_auth {
	const char *bearer;	     /* "Authorization: Bearer" */
	const char *user, *password; /* "Authorization: Basic" */
	/* AWS Signature Version 4 for the service s3, of what the request and its headers say. */
	const char *aws_region, *aws_key, *aws_secret, *aws_session_token;
};

/* Paths are opened by net_start(), in PEM. NULL: the system's certificates, none. */
struct net_tls {
	const char *ca_file, *cert_file, *key_file;
};

/* Bytes of a body from an offset on, at most max and at least one: their number, or -errno. */
typedef ssize_t net_read(void *ctx, uint64_t off, void *out, size_t max);

struct net_request {	    /* all is borrowed until done() has been called */
	const char *method; /* "GET", "POST", "PUT" */
	const char *url;    /* http:// or https:// */
	const char *
		socket; /* path of a unix socket to connect to instead of the URL's host; or NULL */
	const char *proxy;	    /* "http://HOST:PORT", or NULL: none */
	const char *const *headers; /* "Name: value", NULL-terminated; or NULL */
	const void *body;
	size_t len;	/* of body, or of what read gives */
	net_read *read; /* instead of body, which is NULL then; not with a signature. NULL: none */
	void *read_ctx;
	uint64_t send_bytes_per_s; /* 0: as fast as it goes */
	enum net_version version;
	/* It goes out once at most. Otherwise libcurl may send it again by itself, where a connection that was kept
	 * ends before the answer. */
	bool is_once;
	struct net_auth auth;
	struct net_tls tls;
	/* Longest times; stall: without a byte, whole seconds. 0: 10 s, 60 s, 30 s. */
	uint64_t connect_ms, total_ms, stall_ms;
	size_t max_bytes; /* of the answer's body, inflated; 0: 1 MiB */
};

struct net_answer {
	int err; /* 0: an answer, of whatever status. -ETIMEDOUT; -EFBIG; -ECONNREFUSED (no connection);
		    -EPROTO (TLS: a certificate that is refused, no common version; no HTTP/2 where it
		    is asked for); -EACCES (a file of struct net_tls); -EINVAL (no such request);
		    -ENOSYS (a libcurl that cannot do it); -ENOMEM; -EIO */
	char why[400];	     /* of err: a sentence without a full stop and without secrets */
	bool is_bad_request; /* err, and trying again cannot help: wrong URL, file or option */
	long status;	     /* of HTTP */
	char content_type[100];
	int64_t retry_after_s;	 /* from "Retry-After", in seconds or as a date; -1: none */
	int grpc_status;	 /* from the header or trailer "grpc-status"; -1: none */
	char grpc_message[300];	 /* percent-decoded, clean UTF-8 */
	int clickhouse_code;	 /* from the header "X-ClickHouse-Exception-Code"; 0: none */
	struct buf body;	 /* inflated if it came as gzip */
	uint64_t sent, received; /* bytes, with headers, before TLS and HTTP/2 pack them */
};

void net_answer_release(struct net_answer *a);

#endif
