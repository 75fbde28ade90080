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

#endif
