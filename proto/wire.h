/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes large protobuf messages one field at a time (protobuf.dev, "Encoding"). A
 * message whose repeated fields have millions of entries is never built or unpacked as a whole.
 * Only its entries are, by the code that protoc-c generates.
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
	uint64_t value;		    /* of VARINT, FIXED64 and FIXED32 */
	struct bytes bytes;	    /* of LEN; borrowed from the message */
	const uint8_t *start, *end; /* the whole field with its tag */
};

/* Reads the next field. False at the end, and with r->bad set at malformed input. */
bool wire_next(struct bytes *r, struct wire_field *f);

/*
 * Appends a number in varint encoding, without a tag. All put functions append to b and leave
 * errors in b->err (buf.h).
 */
void wire_put_varint(struct buf *b, uint64_t value);
/* Appends a LEN field: a string, bytes, or a packed repeated field. */
void wire_put_bytes(struct buf *b, uint32_t number, const void *data, size_t len);
/* Appends a LEN field that holds the message m. */
void wire_put_message(struct buf *b, uint32_t number, const ProtobufCMessage *m);
/* Appends all fields of m. They become fields of the message that is being written, because
 * protobuf messages concatenate. */
void wire_put_fields(struct buf *b, const ProtobufCMessage *m);

/*
 * Memory for unpacking one entry after the other: allocated piece by piece, freed at once.
 * Unpacking a hostile message can need twenty times its bytes. Past cap bytes it fails. Usage:
 * wire_arena_init(&a, cap); m = x__unpack(&a.allocator, ...); wire_arena_reset(&a); ...;
 * wire_arena_release(&a). Do not move an initialised arena.
 */
struct wire_arena {
	ProtobufCAllocator allocator;
	struct wire_block *blocks;
	size_t used, cap;
	/* Unpacking failed because of the cap, not because of memory or malformed input. */
	bool exhausted;
	bool no_memory;
};

void wire_arena_init(struct wire_arena *a, size_t cap);
/* Frees all pieces. What was unpacked becomes invalid. */
void wire_arena_reset(struct wire_arena *a);
void wire_arena_release(struct wire_arena *a);

#endif
