/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of gRPC in a stream of HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md): each with a byte that
 * says whether it is compressed, and its length in four bytes, the highest first.
 */
#ifndef KILN_PROTO_GRPC_H
#define KILN_PROTO_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/bytes.h"

#define GRPC_FRAME_BYTES 5

/* Appends a message. is_compressed: it is, as the header "grpc-encoding" says. Errors stay in b->err; -EFBIG: it
 * does not fit into four bytes. */
void grpc_frame(struct buf *b, const void *message, size_t len, bool is_compressed);

/*
 * Takes the next message off the stream; *message borrows from it. False when there is none: at the end, or with
 * in->bad set if it is cut off, or compressed.
 */
bool grpc_unframe(struct bytes *in, struct bytes *message);
/* The same, but it may be compressed: grpc-go answers as it was asked, whatever "grpc-accept-encoding" says. */
bool grpc_unframe_any(struct bytes *in, struct bytes *message, bool *is_compressed);

/* "INVALID_ARGUMENT": the name of a status (grpc.io, "Status Codes"); NULL: there is no such status. */
const char *grpc_status_name(int status);
/* The status with this name, in any case of letters and with Connect's spelling "canceled"; -1: none. */
int grpc_status_of(const char *name);

#endif
