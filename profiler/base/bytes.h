/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounds-checked reader of foreign bytes, little endian. A read past the end sets `bad`, moves to
 * the end and yields 0. So a parser may read a whole record and check `bad` once.
 */
#ifndef KILN_BASE_BYTES_H
#define KILN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *p, *end;
	bool bad;
};

/* data may be NULL if len is 0. Adding 0 to NULL would be undefined. */
static inline struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){data, len ? (const uint8_t *)data + len : data, false};
}

static inline size_t bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->p);
}

static inline bool bytes_fail(struct bytes *b)
{
	b->bad = true;
	b->p = b->end;
	return false;
}

static inline bool bytes_read(struct bytes *b, void *out, size_t len)
{
	if (bytes_left(b) < len) {
		memset(out, 0, len);
		return bytes_fail(b);
	}
	memcpy(out, b->p, len);
	b->p += len;
	return true;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	if (b->p == b->end) {
		bytes_fail(b);
		return 0;
	}
	return *b->p++;
}

#define BYTES_READ_INT(type, name)                                                                 \
	static inline type name(struct bytes *b)                                                   \
	{                                                                                          \
		type v;                                                                            \
                                                                                                   \
		bytes_read(b, &v, sizeof(v));                                                      \
		return v;                                                                          \
	}
BYTES_READ_INT(uint16_t, bytes_u16)
BYTES_READ_INT(uint32_t, bytes_u32)
BYTES_READ_INT(uint64_t, bytes_u64)
#undef BYTES_READ_INT

/* Unsigned integer of n <= 8 bytes. */
static inline uint64_t bytes_uint(struct bytes *b, unsigned n)
{
	uint64_t v = 0;

	if (n > 8 || bytes_left(b) < n) {
		bytes_fail(b);
		return 0;
	}
	memcpy(&v, b->p, n);
	b->p += n;
	return v;
}

static inline bool bytes_skip(struct bytes *b, uint64_t len)
{
	if (bytes_left(b) < len)
		return bytes_fail(b);
	b->p += len;
	return true;
}

/* LEB128 (DWARF 5, section 7.6). Bits past the 64th are dropped. More than 10 bytes are bad. */
static inline uint64_t bytes_uleb(struct bytes *b)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t c = bytes_u8(b);

		if (shift < 64)
			v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return v;
	}
	bytes_fail(b);
	return 0;
}

static inline int64_t bytes_sleb(struct bytes *b)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t c = bytes_u8(b);

		if (shift < 64)
			v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80)) {
			if (shift + 7 < 64 && (c & 0x40))
				v |= ~0ull << (shift + 7);
			return (int64_t)v;
		}
	}
	bytes_fail(b);
	return 0;
}

/* NUL-terminated string inside the bytes. NULL, and bad, if the NUL is missing. */
static inline const char *bytes_cstr(struct bytes *b)
{
	const uint8_t *nul = b->p == b->end ? NULL : memchr(b->p, 0, bytes_left(b));
	const char *s = (const char *)b->p;

	if (!nul) {
		bytes_fail(b);
		return NULL;
	}
	b->p = nul + 1;
	return s;
}

/* A reader of the next len bytes. Skips them in b. */
static inline struct bytes bytes_sub(struct bytes *b, uint64_t len)
{
	struct bytes s = {b->p, b->p, false};

	if (!bytes_skip(b, len))
		return (struct bytes){b->end, b->end, true};
	s.end = b->p;
	return s;
}

#endif
