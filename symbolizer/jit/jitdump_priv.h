/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the source files of jitdump.h: the index of a dump, and its bytes. */
#ifndef KILN_SYMBOLIZER_JIT_JITDUMP_PRIV_H
#define KILN_SYMBOLIZER_JIT_JITDUMP_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/bytes.h"
#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"

#define JITDUMP_WINDOW	     65536 /* bytes that are read at once */
#define JITDUMP_RECORD_BYTES 16	   /* IV: id, total_size, timestamp */

struct jit_code {
	uint64_t start, end;
	uint64_t max_end;    /* largest end of this function and those before it */
	uint64_t since_ns;   /* CLOCK_MONOTONIC */
	uint64_t index;	     /* code_index */
	uint64_t load_off;   /* of the CODE_LOAD record in the file */
	uint64_t lines_off;  /* of the CODE_DEBUG_INFO record, 0: none */
	uint64_t unwind_off; /* of the CODE_UNWINDING_INFO record, 0: none */
};

struct jit_line {
	uint64_t offset; /* in the function */
	uint32_t line, file;
};

struct jitdump {
	/* Either the bytes, or the file and the part of it that was read last. */
	const uint8_t *data;
	int fd;
	uint64_t size, window_off;
	size_t window_len;
	uint8_t *window;

	uint32_t machine; /* EM_* */
	bool timeless;	  /* times are of another clock */
	bool unshifted, lineless;
	VEC(struct jit_code) codes; /* sorted by start, then time, then place in the file */
	/* From code_index to code, while reading; holds the first so many codes. */
	struct htab by_index;
	uint32_t indexed;
	size_t skipped;

	/* Of the last answer. */
	struct buf name;
	uint64_t lines_of;
	VEC(struct jit_line) lines;
	struct strtab *files;
};

/* Returns up to len bytes at off, len at most JITDUMP_WINDOW. Valid until the next call. */
struct bytes jitdump_fetch(struct jitdump *j, uint64_t off, uint64_t len);

struct jit_record {
	uint64_t off, len, t_ns;
	uint32_t id;
	struct bytes b; /* the fixed part after the record header */
};
/* Reads the head of the record at off. False if there is no complete record. */
bool jitdump_record(struct jitdump *j, struct jit_record *rec, uint64_t off);

/* True if a was loaded after b. */
static inline bool jit_code_is_newer(const struct jit_code *a, const struct jit_code *b)
{
	return a->since_ns > b->since_ns ||
	       (a->since_ns == b->since_ns && a->load_off > b->load_off);
}

#endif
