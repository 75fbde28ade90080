/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the source files of net. */
#ifndef KILN_NET_NET_PRIV_H
#define KILN_NET_NET_PRIV_H

#include "profiler/net/net_library.h"
#include "profiler/net/net_types.h"

#define NET_MAX_HEADER_BYTES (256u << 10)

struct net_sockets;

struct net_transfer {
	struct net_sockets *sockets;
	struct net_transfer *prev, *next;
	struct net_library *lib;
	struct net_request request; /* borrows what the caller's does */
	struct net_answer answer;
	void (*done)(void *ctx, struct net_answer *answer);
	void *ctx;
	void *easy;    /* NULL: answer.err has said why there is none */
	void *headers; /* list of libcurl's */
	char error[ERROR_SIZE];
	size_t max_bytes, header_bytes;
	uint64_t read_at; /* in the body that request.read gives */
	bool too_large;
	/* When an answer last got on: bytes of its connection, and of what came of them. */
	uint64_t seen_wire, seen_progress;
	uint64_t socket; /* of its connection; 0: not known yet */
	bool is_stuck;
};

/* Makes t->easy from t->request. 0, or t->answer.err with a sentence. */
int net_request_prepare(struct net_transfer *t);
/* What has become of it; result is libcurl's. */
void net_answer_finish(struct net_transfer *t, int result);

#endif
