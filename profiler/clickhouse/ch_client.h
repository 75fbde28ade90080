/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question, or one statement, to a server of ClickHouse over HTTP, waited for. */
#ifndef KILN_CLICKHOUSE_CH_CLIENT_H
#define KILN_CLICKHOUSE_CH_CLIENT_H

#include "profiler/base/buf.h"
#include "profiler/base/why.h"
#include "profiler/clickhouse/ch_native.h"
#include "profiler/net/net_types.h"

struct upload_target;

struct ch_server {	  /* borrowed; profiler/upload/clickhouse.h makes one of a destination */
	const char *base; /* "http://HOST:PORT" */
	const char *database;	    /* NULL: the user's own, for questions before there is one */
	const char *const *headers; /* NULL-terminated; or NULL */
	const char *proxy;
	struct net_auth auth;
	struct net_tls tls;
	uint64_t timeout_ms; /* 0: a minute */
	size_t max_bytes;    /* of an answer; 0: 256 MiB */
	/* Takes secrets out of what the server says; or NULL. */
	void (*hide_secrets)(const struct upload_target *t, struct why *why);
	const struct upload_target *target;
};

#define CH_MAX_BYTES (256u << 20)

/*
 * Asks (readonly=1, wait_end_of_query=1): sql is a SELECT without FORMAT. 0, and *out is to be released; or, with a
 * sentence and out->code:
 *	-EACCES (user, password, rights), -ENOENT (no such database or table), -EINVAL (the statement),
 *	-EAGAIN (the server is busy or a part of it is down), -EFBIG, -EBADMSG (no answer of ClickHouse),
 *	-ECONNREFUSED, -ETIMEDOUT, -EPROTO, -ENOSYS, -EIO, -ENOMEM
 */
int ch_ask(const struct ch_server *s, const char *sql, struct ch_answer *out, struct why *why);
/* Has a statement done that answers nothing: DDL, INSERT ... SELECT. *code (may be NULL): of the exception. */
int ch_tell(const struct ch_server *s, const char *sql, int *code, struct why *why);

/* "BASE/?database=..&wait_end_of_query=1&..." with what is in params ("readonly=1", ...; NULL: nothing). */
void ch_add_url(struct buf *out, const struct ch_server *s, const char *params);

#endif
