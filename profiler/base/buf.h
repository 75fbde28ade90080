/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growable byte buffer for text and messages. Errors are sticky: append freely and check `err` once
 * at the end (0 or -ENOMEM). An all-zero buffer is empty and valid.
 */
#ifndef KILN_BASE_BUF_H
#define KILN_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;
	size_t len, cap;
	int err;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_dec(struct buf *b, uint64_t v);		  /* as "%lu" */
void buf_hex(struct buf *b, uint64_t v, unsigned digits); /* as "%0*lx" */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Makes room for len more bytes at the end. The caller fills them and then adds len to b->len.
 * NULL on error. */
void *buf_room(struct buf *b, size_t len);

/* NUL-terminated view; len does not count the NUL. "" on error. Borrowed until the next call. */
const char *buf_cstr(struct buf *b);

/* Hands the NUL-terminated data to the caller, who frees it. NULL on error. Leaves b empty. */
char *buf_take(struct buf *b);

void buf_clear(struct buf *b);
void buf_release(struct buf *b);

#endif
