// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "proto/wire.h"

/* Field numbers have 29 bits. */
#define WIRE_MAX_NUMBER ((1u << 29) - 1)

bool wire_next(struct bytes *r, struct wire_field *f)
{
	uint64_t tag;

	if (r->bad || !bytes_left(r))
		return false;
	f->start = r->p;
	tag = bytes_uleb(r);
	if (!(tag >> 3) || tag >> 3 > WIRE_MAX_NUMBER)
		return bytes_fail(r);
	f->number = (uint32_t)(tag >> 3);
	f->type = tag & 7;
	f->value = 0;
	switch (f->type) {
	case WIRE_VARINT:
		f->value = bytes_uleb(r);
		break;
	case WIRE_FIXED64:
		f->value = bytes_u64(r);
		break;
	case WIRE_FIXED32:
		f->value = bytes_u32(r);
		break;
	case WIRE_LEN:
		f->bytes = bytes_sub(r, bytes_uleb(r));
		break;
	default: /* groups: obsolete, and in no format that kiln reads */
		return bytes_fail(r);
	}
	f->end = r->p;
	return !r->bad;
}

void wire_put_varint(struct buf *b, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (uint8_t)value | 0x80;
	bytes[n++] = (uint8_t)value;
	buf_add(b, bytes, n);
}

static void put_tag(struct buf *b, uint32_t number, enum wire_type type)
{
	wire_put_varint(b, (uint64_t)number << 3 | type);
}

void wire_put_bytes(struct buf *b, uint32_t number, const void *data, size_t len)
{
	put_tag(b, number, WIRE_LEN);
	wire_put_varint(b, len);
	buf_add(b, data, len);
}

static void put_fields(struct buf *b, const ProtobufCMessage *m, size_t len)
{
	uint8_t *room = buf_room(b, len);

	if (room)
		b->len += protobuf_c_message_pack(m, room);
}

void wire_put_message(struct buf *b, uint32_t number, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);

	put_tag(b, number, WIRE_LEN);
	wire_put_varint(b, len);
	put_fields(b, m, len);
}

void wire_put_fields(struct buf *b, const ProtobufCMessage *m)
{
	put_fields(b, m, protobuf_c_message_get_packed_size(m));
}

/* --- arena -------------------------------------------------------------------------------------- */

#define BLOCK_BYTES 16384

struct wire_block {
	struct wire_block *next;
	size_t used, size;
	_Alignas(max_align_t) uint8_t data[];
};

static struct wire_block *add_block(struct wire_arena *a, size_t len)
{
	size_t size = len > BLOCK_BYTES ? len : BLOCK_BYTES;
	struct wire_block *b = malloc(sizeof(*b) + size);

	if (!b) {
		a->no_memory = true;
		return NULL;
	}
	b->next = a->blocks;
	b->used = 0;
	b->size = size;
	a->blocks = b;
	return b;
}

static void *arena_alloc(void *ctx, size_t len)
{
	struct wire_arena *a = ctx;
	struct wire_block *b = a->blocks;

	if (len > a->cap - a->used) {
		a->exhausted = true;
		return NULL;
	}
	len = (len + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (!b || b->size - b->used < len)
		b = add_block(a, len);
	if (!b)
		return NULL;
	b->used += len;
	a->used += len < a->cap - a->used ? len : a->cap - a->used;
	return b->data + b->used - len;
}

static void arena_free(void *ctx, void *p)
{
	(void)ctx, (void)p;
}

void wire_arena_init(struct wire_arena *a, size_t cap)
{
	*a = (struct wire_arena){
		.allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = a},
		.cap = cap,
	};
}

/* Keeps one block, which is enough for most entries. */
void wire_arena_reset(struct wire_arena *a)
{
	struct wire_block *b = a->blocks;

	while (b && b->next) {
		a->blocks = b->next;
		free(b);
		b = a->blocks;
	}
	if (b)
		b->used = 0;
	a->used = 0;
	a->exhausted = a->no_memory = false;
}

void wire_arena_release(struct wire_arena *a)
{
	wire_arena_reset(a);
	free(a->blocks);
	a->blocks = NULL;
}
