/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the statuses of gRPC mean for what was sent. Connect (connectrpc.com, "Error codes") has the same ones. */
#ifndef KILN_UPLOAD_RPC_JUDGE_H
#define KILN_UPLOAD_RPC_JUDGE_H

#include <stdbool.h>

#include "profiler/upload/kind.h"

/* Sets the verdict, and *why to "SHOWN: SAID: what to do". Each status but OK is known; others are as UNKNOWN.
 * said: what the server says, of any bytes; or NULL. advice: NULL: what is usual for that status. */
void rpc_judge(int status, const char *shown, const char *said, const char *advice,
	       struct upload_judgement *out);

/* So of an answer whose grpc_status is above 0. */
void rpc_judge_grpc(const struct net_answer *a, const char *advice, struct upload_judgement *out);

/* Whether the answer's type is this one, whatever its parameters. */
bool rpc_is_type(const struct net_answer *a, const char *type);

/* "200 with text/html": the status and type of an answer, as text for `shown`. */
void rpc_shown(const struct net_answer *a, char *out, size_t size);

/* Appends the one message of an answer of gRPC, inflated. 0, -EBADMSG, -EFBIG or -ENOMEM. */
int rpc_message(const struct net_answer *a, struct buf *out);

#endif
