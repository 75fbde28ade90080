/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of a line table (line_table.h). Little endian.
 *
 * Chunk 0 is the header. The following sections come in chunks with a checksum each:
 *
 *   blocks      struct line_block, one per LINE_BLOCK_ROWS rows, ascending by address
 *   rows        the blocks' contents. A row holds from its address to the next row's. It has a node
 *               (0: no function), a file (0: no line; 1: a line whose file has no name) and a line
 *   groups      offsets into nodes, 32 bits, one per LINE_GROUP_NODES nodes
 *   nodes       functions and inlined calls, numbered from 1: distance back to the parent (0: none,
 *               a function), label, and for inlined calls the file and line of the call
 *   labels      struct line_label: the name of a node
 *   files       offsets into names, 32 bits, from file 2 on
 *   names       strings with a NUL each
 *   sums        hash_check() of the chunks, 32 bits; the checksum of sums is in the header
 *
 * Numbers are LEB128. Signed numbers are folded to unsigned (0, -1, 1, -2 ...).
 *
 * The first row of a block is (node, file, line), at the block's address. Each following row begins
 * with a byte. Its low bits say what changes (enum line_row). Its high bits are the address step;
 * if all are set, the rest of the step follows. Code often returns to an inlined call that it left.
 * So the file and line at which the last LINE_MEMO_SLOTS nodes of a block were left are remembered,
 * by node number.
 */
#ifndef KILN_SYMBOLIZER_LINES_LINE_FORMAT_H
#define KILN_SYMBOLIZER_LINES_LINE_FORMAT_H

#include <stdint.h>

#include "symbolizer/elf/elf_obj.h"

#define LINE_MAGIC   "kilnline"
#define LINE_VERSION 1

#define LINE_CHUNK	 4096u
#define LINE_BLOCK_ROWS	 32u
#define LINE_GROUP_NODES 4u
#define LINE_MEMO_SLOTS	 16u

#define LINE_FILE_UNNAMED 1u
#define LINE_FILE_FIRST	  2u

enum line_section {
	LINE_BLOCKS,
	LINE_ROWS,
	LINE_GROUPS,
	LINE_NODES,
	LINE_LABELS,
	LINE_FILES,
	LINE_NAMES,
	LINE_SUMS,
	LINE_SECTION_COUNT
};

struct line_block {
	uint64_t va;
	uint32_t off; /* in rows; the block ends at the next one's off */
	uint32_t reserved;
};

struct line_label {
	uint32_t name; /* offset in names */
	uint32_t decl_line;
};

struct line_header {
	char magic[8];
	uint32_t version;
	int32_t refusal; /* 0: a table; else the -errno for which there is no table */
	uint64_t file_len;
	struct build_id build_id;
	uint8_t zeros[3];
	uint32_t separate;
	uint64_t bias, source_size;
	struct {
		uint64_t off, len;
	} section[LINE_SECTION_COUNT];
	uint32_t n_nodes;
	uint32_t sums_sum; /* hash_check() of the sums */
	uint32_t reserved;
	uint32_t sum; /* hash_check() of all fields before */
};

_Static_assert(sizeof(struct line_block) == 16, "as it is on disk");
_Static_assert(sizeof(struct line_header) == 224, "as it is on disk");
_Static_assert(sizeof(struct line_header) <= LINE_CHUNK, "the header is one chunk");

/* Fields of a row that change besides the line. */
enum line_row {
	ROW_LINE, /* none; followed by: line */
	ROW_FILE, /* the file; followed by: file, line */
	/* The node, to a remembered one; followed by: node, line relative to the remembered one. */
	ROW_BACK,
	ROW_NODE, /* the node; followed by: node, file, line */
	ROW_BITS = 2,
	ROW_MASK = (1 << ROW_BITS) - 1,
	ROW_STEP_MAX = 0xff >> ROW_BITS, /* rest of the step follows */
};

struct line_state {
	uint32_t node, file, line;
};

static inline uint64_t line_fold(int64_t v)
{
	return v < 0 ? ~((uint64_t)v << 1) : (uint64_t)v << 1;
}

static inline int64_t line_unfold(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
