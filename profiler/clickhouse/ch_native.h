/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ClickHouse's format Native, of those types that kiln's tables and queries have. A body is a row of blocks:
 *
 *	varint columns, varint rows, and for each column: its name, its type (strings), its data
 *	string: varint length, bytes; number: little endian
 *	array: for each row a UInt64, the sum of the lengths so far; then all elements
 *	LowCardinality(String): UInt64 1, UInt64 flags with the width of indices, UInt64 keys, the keys (strings),
 *		UInt64 rows, and their indices into the keys. It is read as a String
 *
 * It is the one format of which a server stores nothing if the body was cut.
 */
#ifndef KILN_CLICKHOUSE_CH_NATIVE_H
#define KILN_CLICKHOUSE_CH_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "profiler/base/why.h"

/* X(id, ClickHouse's name, bytes of an element; 0: a string) */
#define CH_TYPES(X)                                                                                \
	X(UINT8, "UInt8", 1)                                                                       \
	X(UINT16, "UInt16", 2)                                                                     \
	X(UINT32, "UInt32", 4)                                                                     \
	X(UINT64, "UInt64", 8)                                                                     \
	X(INT8, "Int8", 1)                                                                         \
	X(INT16, "Int16", 2)                                                                       \
	X(INT32, "Int32", 4)                                                                       \
	X(INT64, "Int64", 8)                                                                       \
	X(FLOAT32, "Float32", 4)                                                                   \
	X(FLOAT64, "Float64", 8)                                                                   \
	X(DATE, "Date", 2)	   /* days since 1970 */                                           \
	X(DATETIME, "DateTime", 4) /* seconds since 1970, whatever the zone in its name */         \
	X(STRING, "String", 0)

enum ch_type {
#define X(id, ...) CH_##id,
	CH_TYPES(X)
#undef X
		CH_N_TYPES
};

const char *ch_type_name(enum ch_type type);

/* --- writing: errors are the buffer's ----------------------------------------------------------- */

void ch_put_block(struct buf *out, size_t n_columns, size_t n_rows);
/* Its data follow: n_rows elements; or, of an array, n_rows ends and then the elements. */
void ch_put_column(struct buf *out, const char *name, enum ch_type type, bool is_array);
void ch_put_string(struct buf *out, const char *text, size_t len);
void ch_put_u16(struct buf *out, uint16_t v);
void ch_put_u32(struct buf *out, uint32_t v);
void ch_put_u64(struct buf *out, uint64_t v);

/* --- reading ------------------------------------------------------------------------------------ */

#define CH_MAX_COLUMNS 64 /* of a block */
/* Of an answer: what stands for them takes more memory than an empty one takes bytes. A server makes hundreds. */
#define CH_MAX_BLOCKS	   (1u << 15)
#define CH_MAX_ALL_COLUMNS (1u << 18)

struct ch_column {
	char *name;
	enum ch_type type; /* of the elements */
	bool is_array;
	size_t n; /* elements; rows, unless it is an array */
	/* private */
	const uint8_t *data, *ends; /* in the body */
	uint32_t *texts;	    /* where each string begins in data, and the end of the last */
	const uint8_t *indices; /* of elements into these strings, each of so many bytes; or NULL */
	unsigned index_width;
};

struct ch_block {
	size_t n_rows;
	VEC(struct ch_column) columns;
};

/* All-zero: empty. */
struct ch_answer {
	struct buf body; /* what the rest points into */
	VEC(struct ch_block) blocks;
	size_t n_rows; /* of all blocks */
	int code;      /* of the server's exception, ch_codes.h; 0: none */
};

/* Takes the body apart, which becomes the answer's and is released with it either way. 0; -EBADMSG with a
 * sentence (cut off, or of a type that is not in CH_TYPES); or -ENOMEM. */
int ch_answer_parse(struct ch_answer *out, struct buf *body, struct why *why);
void ch_answer_release(struct ch_answer *a);

/* The column of a block, if it has one of this name and type; else NULL. */
const struct ch_column *ch_column(const struct ch_block *b, const char *name, enum ch_type type,
				  bool is_array);

/* Element i < n of a column. Of a column of numbers, sign-extended, floating point rounded to zero. */
uint64_t ch_uint(const struct ch_column *c, size_t i);
int64_t ch_int(const struct ch_column *c, size_t i);
double ch_double(const struct ch_column *c, size_t i); /* of any number */
/* Of a column of strings: borrowed from the body, not terminated. Any bytes. */
const char *ch_text(const struct ch_column *c, size_t i, size_t *len);
/* Of an array: the first of a row's elements; *n of them follow each other. */
size_t ch_array(const struct ch_column *c, size_t row, size_t *n);

#endif
