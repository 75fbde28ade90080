/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said between a symbolizer and its worker process, over a SOCK_SEQPACKET pair. Both are the
 * same program, so that layouts agree; but what the worker says is hostile all the same: it reads
 * hostile files.
 *
 * A conversation: QUERY with its ADDRS; then ANSWERS or BLOBs, and OPEN or LINES each answered by
 * OPENED, in any number; then DONE.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WORKER_WIRE_H
#define KILN_SYMBOLIZER_WORKER_WORKER_WIRE_H

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_facts.h"
#include "symbolizer/query/answer.h"
#include "symbolizer/sandbox/message.h"

/* Addresses of one query: what a cache without room works on at a time. */
#define WIRE_QUERY_MAX 131072
#define WIRE_ADDRS_MAX 4096 /* of one message */
/* As the DWARF reader promises (256 inlined), and the function itself. */
#define WIRE_FRAMES_MAX 257
/* Longer names and paths are cut. */
#define WIRE_STRING_MAX 16384
/* A compiled table: twice what all tables may have in the kernel, several times the largest seen. */
#define WIRE_BLOB_MAX (64u << 20)
/* Unique names of one query, see NAMES_BYTES_MAX in object.c: far more than a file hands out. */
#define WIRE_TEXT_MAX	 (256u << 20)
#define WIRE_STRINGS_MAX (4u << 20)

enum wire_type {
	WIRE_HELLO = 1, /* worker: struct wire_hello */
	WIRE_QUERY,	/* to it: struct wire_query, path; with the file's descriptor */
	WIRE_ADDRS,	/* to it: struct wire_head, addresses; of a jitdump then as many times */
	WIRE_ANSWERS,	/* worker: struct wire_head, struct wire_string and wire_result records */
	WIRE_BLOB,	/* worker: struct wire_head, n bytes of a table; to it: of a sample */
	WIRE_OPEN,	/* worker: struct wire_open, path */
	WIRE_FIND,	/* worker: struct wire_find */
	WIRE_LINES,	/* worker: struct wire_lines */
	WIRE_OPENED,	/* to it: struct wire_opened; with a descriptor if err is 0 */
	WIRE_DONE,	/* worker: struct wire_done, struct wire_segment each */
	/* of stacks, see walker.h */
	WIRE_NOTE, /* to it: struct wire_file with a descriptor to write file numbers to */
	WIRE_FILE, /* to it: struct wire_file with its descriptor, or without one: forget all */
	WIRE_WALK, /* to it: struct wire_walk; then BLOBs: walk_region each, CFI_WALK_REGS, the stack */
	WIRE_WALKED, /* worker: struct wire_walked, frames */
};

struct wire_file {
	uint32_t type, file;
};

struct wire_walk {
	uint32_t type, n_regions, n_live, below;
	uint32_t stack_len, same_regions; /* as of the one before: none are sent */
};

struct wire_walked {
	uint32_t type, end; /* enum cfi_walk_end */
	uint32_t n, reserved;
};

struct wire_head {
	uint32_t type, n;
};

struct wire_hello {
	uint32_t type, sandbox_parts;
};

struct wire_query {
	uint32_t type, n;
	uint8_t kind, offsets, names_only, has_root;
	uint8_t can_find, has_lines, reserved[2];
	struct build_id build_id; /* len 0: unknown */
};

struct wire_open {
	uint32_t type, in_root;
};

struct wire_find {
	uint32_t type;
	struct build_id build_id;
};

struct wire_lines { /* enum line_wish; no descriptor comes with the answers 0 and 1 of LINE_SEEN */
	uint32_t type, wish;
	struct build_id build_id;
};

struct wire_opened {
	uint32_t type;
	int32_t err; /* of WIRE_LINES also 1 */
};

struct wire_done {
	uint32_t type;
	int32_t err;
	struct symbolizer_stats stats; /* of this worker */
	/* of the file, when no address was asked for: see elf_facts.h */
	int32_t file_err;
	uint32_t n_segments;
	struct build_id build_id;
};

struct wire_segment { /* executable ones only */
	uint64_t va, mem_len, file_off, file_len;
};

enum wire_record { WIRE_STRING = 1, WIRE_RESULT };

struct wire_string { /* gets the next number, from 2: 0 is none, 1 is "" */
	uint32_t record, len;
};

struct wire_result {
	uint32_t record, index;
	uint64_t elf_va;
	uint32_t reason, n_frames;
};

struct wire_frame {
	uint32_t name, raw_name, file, line, start_line;
};

/* --- answers ---------------------------------------------------------------------------------- */

/* The worker's side: strings are sent once a query. */
struct wire_writer {
	int sock, err;
	struct strtab *strings; /* the number of a string is its id here + 1 */
	size_t len;
	char msg[WIRE_BYTES_MAX];
};

int wire_writer_init(struct wire_writer *w, int sock);
void wire_writer_release(struct wire_writer *w);
void wire_put_result(struct wire_writer *w, size_t index, const struct sym_result *r);
/* Sends what is left. 0 or the first error. */
int wire_flush(struct wire_writer *w);

/* The reader's: what came for one query. */
struct wire_reader {
	size_t n, n_answered;
	uint8_t *answered; /* n of them */
	struct buf text;
	VEC(size_t) strings; /* offsets in text, by number */
	struct sym_frame frames[WIRE_FRAMES_MAX];
};

int wire_reader_init(struct wire_reader *r, size_t n);
void wire_reader_release(struct wire_reader *r);
/*
 * Takes an ANSWERS message: fn is called for every result, each index once, all text clean. 0,
 * -EBADMSG when it is not one that a worker would send (results before the fault have been passed
 * on), or -ENOMEM.
 */
int wire_read_answers(struct wire_reader *r, const void *msg, size_t len, sym_result_fn fn,
		      void *ctx);

/* Checks a DONE message, and takes what it says of the file. 0 or -EBADMSG. */
int wire_read_done(const void *msg, size_t len, struct wire_done *done, struct elf_facts *facts);

/* --- tables ----------------------------------------------------------------------------------- */

/* 0 or -errno. */
int wire_send_blob(int sock, const void *data, size_t len);
/* Adds what a BLOB message has. 0, -EBADMSG (it has nothing, or there is too much) or -ENOMEM. */
int wire_read_blob(struct buf *blob, const void *msg, size_t len);

/* --- stacks ----------------------------------------------------------------------------------- */

/* Checks a WALKED message; its frames (room for UNWIND_FRAMES_MAX) are copied. 0 or -EBADMSG. */
int wire_read_walked(const void *msg, size_t len, struct wire_walked *walked, uint64_t *frames);

#endif
