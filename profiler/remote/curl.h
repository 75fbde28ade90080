/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP by libcurl, which is loaded when it is first needed: kiln builds and runs without it. Follows no redirects,
 * reads no .netrc, and verifies certificates.
 */
#ifndef KILN_REMOTE_CURL_H
#define KILN_REMOTE_CURL_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

struct curl_request {
	const char *url;
	const char *
		socket; /* path of a unix socket to connect to instead of the URL's host; or NULL */
	const char *token; /* "Authorization: Bearer", or NULL; without control characters */
	uint64_t connect_ms, total_ms,
		stall_ms;   /* longest times; stall: without a byte, whole seconds */
	size_t max_bytes;   /* of the answer's body */
	const char *soname; /* for tests; NULL: libcurl.so.4 */
};

struct curl_answer {
	long status; /* of HTTP */
	struct buf body;
	char why[256]; /* of a failure: a sentence without a full stop */
};

/* 0: there is an answer, whatever its status. -ENOSYS: no libcurl; -ETIMEDOUT; -EFBIG; -ECONNREFUSED (no
 * connection); -ENOMEM; or -EIO. The answer is to be released either way. */
int curl_get(const struct curl_request *r, struct curl_answer *out);
void curl_answer_release(struct curl_answer *a);

#endif
