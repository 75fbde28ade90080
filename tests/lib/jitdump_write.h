/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes jitdump records, as a JIT compiler does (jitdump-specification.txt in the Linux tree). */
#ifndef KILN_TESTS_JITDUMP_WRITE_H
#define KILN_TESTS_JITDUMP_WRITE_H

#include <stdint.h>
#include <string.h>

#include "profiler/base/buf.h"

struct jit_line {
	uint64_t offset;
	uint32_t line;
	const char *file;
};

static inline void jit_put(struct buf *b, uint64_t v, size_t len)
{
	buf_add(b, &v, len);
}

static inline void jit_header(struct buf *b, uint64_t flags)
{
	buf_add(b, "DTiJ", 4);
	jit_put(b, 1, 4);
	jit_put(b, 40, 4);
	jit_put(b, 62, 4);
	jit_put(b, 0, 4);
	jit_put(b, 1, 4);
	jit_put(b, 12345, 8);
	jit_put(b, flags, 8);
}

static inline void jit_record(struct buf *b, uint32_t id, uint64_t t_ns, const void *data,
			      size_t len)
{
	jit_put(b, id, 4);
	jit_put(b, 16 + len, 4);
	jit_put(b, t_ns, 8);
	buf_add(b, data, len);
}

static inline void jit_load(struct buf *b, uint64_t t_ns, uint64_t start, uint64_t len,
			    uint64_t index, const char *name)
{
	struct buf r = {0};

	jit_put(&r, 1, 4);
	jit_put(&r, 1, 4);
	jit_put(&r, 0, 8); /* as LLVM leaves it */
	jit_put(&r, start, 8);
	jit_put(&r, len, 8);
	jit_put(&r, index, 8);
	buf_add(&r, name, strlen(name) + 1);
	for (uint64_t i = 0; i < len && i < 64; i++) /* less code than it says: nobody reads it */
		buf_char(&r, '\xcc');
	jit_record(b, 0, t_ns, r.data, r.len);
	buf_release(&r);
}

static inline void jit_move(struct buf *b, uint64_t t_ns, uint64_t from, uint64_t to, uint64_t len,
			    uint64_t index)
{
	struct buf r = {0};

	jit_put(&r, 1, 4);
	jit_put(&r, 1, 4);
	jit_put(&r, to, 8);
	jit_put(&r, from, 8);
	jit_put(&r, to, 8);
	jit_put(&r, len, 8);
	jit_put(&r, index, 8);
	jit_record(b, 1, t_ns, r.data, r.len);
	buf_release(&r);
}

/* shift: what the compiler adds to addresses of lines (0, or 0x40 as V8 and LLVM do). */
static inline void jit_lines(struct buf *b, uint64_t t_ns, uint64_t start, uint64_t shift,
			     const struct jit_line *lines, size_t n)
{
	struct buf r = {0};

	jit_put(&r, start, 8);
	jit_put(&r, n, 8);
	for (size_t i = 0; i < n; i++) {
		jit_put(&r, start + shift + lines[i].offset, 8);
		jit_put(&r, lines[i].line, 4);
		jit_put(&r, 0, 4);
		buf_add(&r, lines[i].file, strlen(lines[i].file) + 1);
	}
	while (r.len % 8)
		buf_char(&r, 0);
	jit_record(b, 2, t_ns, r.data, r.len);
	buf_release(&r);
}

/*
 * How to unwind code that begins with `sub $frame, %rsp` of 4 bytes and ends with a `ret` of one. What says so lies
 * behind the code at a multiple of `align`.
 */
static inline void jit_frames(struct buf *b, uint64_t t_ns, uint32_t code_len, uint32_t align,
			      uint8_t frame)
{
	const uint8_t cie[] = {20, 0,	 0,  0, 0,    0,    0, 0, 1,	'z', 'R', 0,
			       1,  0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,   0,	  0};
	uint32_t to_code = -((code_len + align - 1) / align * align + sizeof(cie) + 8);
	struct buf r = {0};

	jit_put(&r, sizeof(cie) + 28 + 8, 8);
	jit_put(&r, 8, 8);
	jit_put(&r, 0, 8);
	buf_add(&r, cie, sizeof(cie));
	jit_put(&r, 24, 4);
	jit_put(&r, sizeof(cie) + 4, 4);
	jit_put(&r, to_code, 4);
	jit_put(&r, code_len, 4);
	jit_put(&r, 0, 1);
	jit_put(&r, 0x44, 1); /* DW_CFA_advance_loc 4, DW_CFA_def_cfa_offset */
	jit_put(&r, 0x0e, 1);
	jit_put(&r, 8 + frame, 1);
	jit_put(&r, 0x02, 1); /* DW_CFA_advance_loc1 */
	jit_put(&r, code_len - 5, 1);
	jit_put(&r, 0x0e, 1);
	jit_put(&r, 8, 1);
	jit_put(&r, 0, 4);
	jit_put(&r, 0, 8); /* .eh_frame_hdr, which nobody reads */
	jit_record(b, 4, t_ns, r.data, r.len);
	buf_release(&r);
}

#endif
