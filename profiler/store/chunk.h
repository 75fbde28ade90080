/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of a dictionary as bytes. A chunk holds consecutive things of one section, as columns of
 * LEB128 numbers that differ little from their neighbours, compressed. It needs no other chunk to be
 * read, so that one that is damaged costs its own contents only.
 */
#ifndef KILN_STORE_CHUNK_H
#define KILN_STORE_CHUNK_H

#include "profiler/base/buf.h"
#include "profiler/store/dict.h"

struct packer;

/* Another order than the dictionary's own, with gaps for what nobody uses any more. */
struct dict_order {
	uint32_t *old_of[SECTION_COUNT], *new_of[SECTION_COUNT]; /* new_of: DICT_NONE: left out */
	uint32_t count[SECTION_COUNT];
};

/* Appends the things [first, first + count) of a section, compressed at a level of zstd's. order may be
 * NULL; else first and count are in its numbers. 0 or -ENOMEM. */
int chunk_encode(struct packer *p, struct buf *out, const struct dict *d,
		 const struct dict_order *order, enum section s, uint32_t first, uint32_t count,
		 int level);

struct chunk {
	enum section section;
	uint32_t first, count;
	void *records;	   /* of the section's type, count of them; NULL for strings */
	char *text;	   /* strings, each NUL-terminated */
	uint32_t *offsets; /* in text */
	int64_t *values;   /* of label sets */
};

/*
 * Reads it back; data is foreign. Numbers that refer to the same section are smaller than their own;
 * others may be of things that do not exist. -EBADMSG: it is none; -ENOMEM.
 */
int chunk_decode(struct packer *p, struct chunk *out, enum section s, uint32_t first,
		 uint32_t count, const void *data, size_t len);
void chunk_release(struct chunk *c);

/* One of its records, by its number in the dictionary. */
const void *chunk_record(const struct chunk *c, uint32_t id);

#endif
