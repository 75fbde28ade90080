/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between a worker's two halves, over a SOCK_SEQPACKET pair. Both halves are the same
 * program, so layouts agree. The reader's messages are hostile nevertheless, since it reads hostile
 * files.
 *
 * A conversation: QUERY with its ADDRS; then any number of ANSWERS, BLOBs, and OPENs, FINDs or
 * LINES, each of the latter answered by OPENED; then DONE.
 */
#ifndef KILN_SYMBOLIZER_WORKER_WORKER_WIRE_H
#define KILN_SYMBOLIZER_WORKER_WORKER_WIRE_H

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"
#include "symbolizer/query/elf_facts.h"
#include "symbolizer/query/answer.h"
#include "symbolizer/sandbox/message.h"

/* Addresses of one query; a lookup works on as many at a time. */
#define WIRE_QUERY_MAX 131072
#define WIRE_ADDRS_MAX 4096 /* of one message */
/* 256 inlined calls, the DWARF reader's limit, and the function itself. */
#define WIRE_FRAMES_MAX 257
/* Longer names and paths are cut. */
#define WIRE_STRING_MAX 16384
/*
 * An unwind table: twice the budget of all tables in the kernel, several times the largest known.
 */
#define WIRE_BLOB_MAX (64u << 20)
/*
 * Unique names of one query, see NAMES_BYTES_MAX in object_load.c: far more than a file hands out.
 */
#define WIRE_TEXT_MAX	 (256u << 20)
#define WIRE_STRINGS_MAX (4u << 20)

enum wire_type {
	WIRE_HELLO = 1, /* from the reader: struct wire_hello */
	WIRE_QUERY,	/* to the reader: struct wire_query, path; with the file's descriptor */
	/* To the reader: struct wire_head, addresses; for a jitdump also as many times. */
	WIRE_ADDRS,
	/* From the reader: struct wire_head, struct wire_string and wire_result records. */
	WIRE_ANSWERS,
	/* From the reader: struct wire_head, n bytes of a table; to the reader: of a sample. */
	WIRE_BLOB,
	WIRE_OPEN,   /* from the reader: struct wire_open, path */
	WIRE_FIND,   /* from the reader: struct wire_find */
	WIRE_LINES,  /* from the reader: struct wire_lines */
	WIRE_OPENED, /* to the reader: struct wire_opened; with a descriptor if err is 0 */
	WIRE_DONE,   /* from the reader: struct wire_done, its struct wire_segments */
	/* for CFI walks, see walk_worker.h */
	WIRE_NOTE, /* to the reader: struct wire_file with a descriptor to write file numbers to */
	/* To the reader: struct wire_file with its descriptor; without one: forget all. */
	WIRE_FILE,
	/* To the reader: struct wire_walk; then BLOBs: regions, CFI_WALK_REGS, the stack. */
	WIRE_WALK,
	WIRE_WALKED, /* from the reader: struct wire_walked, frames */
};

struct wire_file {
	uint32_t type, file;
};

struct wire_walk {
	uint32_t type, n_regions, n_live, below;
	uint32_t stack_len, same_regions; /* same regions as the sample before: none are sent */
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
	struct file_identity identity;
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
	int32_t err; /* for WIRE_LINES also 1 */
};

struct wire_done {
	uint32_t type;
	int32_t err;
	struct symbolizer_stats stats; /* of this reader */
	/* Facts of the file, if no address was asked for; see elf_facts.h. */
	int32_t file_err;
	uint16_t n_segments;
	uint8_t has_debug_info, has_symbols; /* 0 or 1 */
	struct build_id build_id;
};

struct wire_segment { /* executable ones only */
	uint64_t va, mem_len, file_off, file_len;
};

enum wire_record { WIRE_STRING = 1, WIRE_RESULT };

struct wire_string { /* gets the next number, from 2; 0 is NULL, 1 is "" */
	uint32_t record, len;
};

struct wire_result {
	uint32_t record, index;
	uint64_t elf_va;
	uint32_t reason, n_frames;
};

struct wire_frame {
	uint32_t name, raw_name, file, line, start_line, discriminator;
};

/* --- answers ---------------------------------------------------------------------------------- */

/* The reader's side. It sends each string once for each query. */
struct wire_writer {
	int sock, err;
	struct strtab *strings; /* string numbers are ids here + 1 */
	size_t len;
	char msg[WIRE_BYTES_MAX];
};

/* 0 or -ENOMEM. */
int wire_writer_init(struct wire_writer *w, int sock);
void wire_writer_release(struct wire_writer *w);
/* Adds one result and sends full messages. w->err keeps the first error. */
void wire_put_result(struct wire_writer *w, size_t index, const struct sym_result *r);
/* Sends the rest. 0 or the first error. */
int wire_flush(struct wire_writer *w);

/* kiln's side: the answers to one query. */
struct wire_reader {
	size_t n, n_answered;
	uint8_t *answered; /* n of them */
	struct buf text;
	VEC(size_t) strings; /* offsets in text, by number */
	struct sym_frame frames[WIRE_FRAMES_MAX];
};

/* For a query of n addresses. 0 or -ENOMEM. */
int wire_reader_init(struct wire_reader *r, size_t n);
void wire_reader_release(struct wire_reader *r);
/*
 * Takes an ANSWERS message. Calls fn for every result, each index once, with clean text. 0,
 * -ENOMEM, or -EBADMSG if the message is invalid; results before the fault were passed on.
 */
int wire_read_answers(struct wire_reader *r, const void *msg, size_t len, sym_result_fn fn,
		      void *ctx);

/* Checks a DONE message and takes the file's facts. 0 or -EBADMSG. */
int wire_read_done(const void *msg, size_t len, struct wire_done *done, struct elf_facts *facts);

/* --- tables ----------------------------------------------------------------------------------- */

/* Sends bytes as BLOB messages. 0 or -errno. */
int wire_send_blob(int sock, const void *data, size_t len);
/* Appends the bytes of a BLOB message. 0, -EBADMSG (no bytes, or too many) or -ENOMEM. */
int wire_read_blob(struct buf *blob, const void *msg, size_t len);

/* --- stacks ----------------------------------------------------------------------------------- */

/* Checks a WALKED message and copies its frames (room for UNWIND_FRAMES_MAX). 0 or -EBADMSG. */
int wire_read_walked(const void *msg, size_t len, struct wire_walked *walked, uint64_t *frames);

#endif
