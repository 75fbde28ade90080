/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks another host's agent, by its HTTP API:
 *
 *	kiln+http://HOST[:PORT]		7676 is the port of an agent
 *	kiln+https://HOST[:PORT]	the same with TLS
 *	kiln+unix:/PATH			a unix socket of this host
 */
#ifndef KILN_REMOTE_REMOTE_H
#define KILN_REMOTE_REMOTE_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/why.h"

struct remote {
	const char *url;   /* as above */
	const char *token; /* or NULL */
	/* All 0: 10 s, 300 s, 60 s, 256 MiB. */
	uint64_t connect_ms, total_ms, stall_ms;
	size_t max_bytes;
	const char *soname; /* for tests */
};

struct remote_param {
	const char *key, *value; /* value NULL: left out */
};

/*
 * GET of a path such as "/api/v1/profile" with parameters. Appends the body of an answer with status 200.
 * 0, or with a sentence in *why: -EINVAL (no such URL or token), -ENOSYS (no libcurl), -EACCES (token missing
 * or refused, or host refused), -ENOENT (no kiln), -ENODATA (the agent has nothing of that), -EBUSY (asked too much of it), -EBADMSG (another
 * answer), -EPROTO (TLS), -EFBIG, -ETIMEDOUT, -ECONNREFUSED, -ENOMEM, -EIO.
 */
int remote_get(const struct remote *r, const char *path, const struct remote_param *params,
	       size_t n, struct buf *out, struct why *why);

/* Reads a token from a file, or if `path` is NULL from KILN_TOKEN: malloc'd, NULL if there is none. 0 or -errno
 * with a sentence. */
int remote_token(char **out, const char *path, struct why *why);

/* Whether the token would go over the network as it is. */
int remote_is_open(const struct remote *r);

#endif
