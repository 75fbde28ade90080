// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"

void *buf_room(struct buf *b, size_t len)
{
	if (!b->err && (len > SIZE_MAX - b->len - 1 ||
			vec_reserve_raw((void **)&b->data, &b->cap, 1, b->len + len + 1)))
		b->err = -ENOMEM;
	return b->err ? NULL : b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	void *room = buf_room(b, len);

	if (!room || !len)
		return;
	memcpy(room, data, len);
	b->len += len;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

/* Most printed items are numbers, by the hundred thousand. printf() takes ten times as long. */
void buf_dec(struct buf *b, uint64_t v)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void buf_hex(struct buf *b, uint64_t v, unsigned digits)
{
	char text[16], *p = text + sizeof(text);

	do
		*--p = "0123456789abcdef"[v & 15];
	while ((v >>= 4) || (p > text && (unsigned)(text + sizeof(text) - p) < digits));
	buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t left = b->err ? 0 : b->cap - b->len;
	va_list again;
	char *room;
	int n;

	va_copy(again, ap);
	n = vsnprintf(left ? b->data + b->len : NULL, left, fmt, ap);
	room = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (n < 0)
		b->err = -EINVAL;
	if (room) {
		if ((size_t)n >= left) /* the first try did not fit */
			vsnprintf(room, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

const char *buf_cstr(struct buf *b)
{
	char *room = buf_room(b, 0);

	if (!room)
		return "";
	*room = '\0';
	return b->data;
}

char *buf_take(struct buf *b)
{
	char *data = NULL;

	if (!b->err) {
		buf_cstr(b);
		data = b->err ? NULL : b->data;
	}
	if (!data)
		free(b->data);
	*b = (struct buf){0};
	return data;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->err = 0;
}

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}
