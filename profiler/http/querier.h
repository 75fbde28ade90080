/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The read side of Pyroscope, as far as Grafana's data source and profilecli call it:
 * querier.v1.QuerierService by the Connect protocol's unary calls over HTTP/1.1
 * (https://connectrpc.com/docs/protocol), messages as protobuf or JSON. Profiles are of the
 * type process_cpu:cpu:nanoseconds:cpu:nanoseconds, or :samples:count: for their samples. A request is
 * hostile input.
 */
#ifndef KILN_HTTP_QUERIER_H
#define KILN_HTTP_QUERIER_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"

struct store;

struct querier_request {
	const char *method; /* "SelectMergeStacktraces": what follows the service in the path */
	bool json;	    /* application/json, else application/proto */
	const void *body;   /* at most 1 MiB; may be a gzip stream of such */
	size_t len;
	struct store *store; /* open for reading */
};

/* Appends the message, or Connect's JSON object of an error. The HTTP status: 200, 400, 404, 500, ...;
 * *out is application/json unless it is 200 and the request was protobuf. */
int querier_answer(const struct querier_request *q, struct buf *out);

#endif
