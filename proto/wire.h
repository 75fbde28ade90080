/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Big protobuf messages one field at a time (protobuf.dev, "Encoding"): a message whose repeated
 * fields hold millions of entries is neither built nor unpacked as a whole, only its entries are,
 * with the code protoc-c generates.
 */
#ifndef KILN_PROTO_WIRE_H
#define KILN_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "profiler/base/buf.h"
#include "profiler/base/bytes.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LEN = 2, WIRE_FIXED32 = 5 };

struct wire_field {
	uint32_t number;
	enum wire_type type;
	uint64_t value;		    /* of a number */
	struct bytes bytes;	    /* of WIRE_LEN */
	const uint8_t *start, *end; /* the whole field with its tag */
};

/* The next field; false at the end, and with r->bad set at anything that is not protobuf. */
bool wire_next(struct bytes *r, struct wire_field *f);

void wire_put_varint(struct buf *b, uint64_t value);
void wire_put_bytes(struct buf *b, uint32_t number, const void *data, size_t len);
void wire_put_message(struct buf *b, uint32_t number, const ProtobufCMessage *m);
/* The fields of a message as fields of the one being written: protobuf messages concatenate. */
void wire_put_fields(struct buf *b, const ProtobufCMessage *m);

/*
 * Memory for unpacking one entry after the other: taken piece by piece, given back all at once.
 * Unpacking can need twenty times the bytes of a hostile message; past cap bytes it fails.
 * Usage: wire_arena_init(&a, cap); m = x__unpack(&a.allocator, ...); wire_arena_reset(&a);
 * ...; wire_arena_release(&a). Do not move it once it is initialised.
 */
struct wire_arena {
	ProtobufCAllocator allocator;
	struct wire_block *blocks;
	size_t used, cap;
	bool exhausted; /* the cap was hit, as opposed to being out of memory or malformed */
	bool no_memory;
};

void wire_arena_init(struct wire_arena *a, size_t cap);
void wire_arena_reset(struct wire_arena *a);
void wire_arena_release(struct wire_arena *a);

#endif
