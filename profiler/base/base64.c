// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/base64.h"

#include <errno.h>
#include <stdint.h>

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Two to four digits are one to three bytes. */
static int decode_group(uint8_t *at, const char *text, size_t n)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int v = i < n ? value_of(text[i]) : 0;

		if (v < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)v;
	}
	for (size_t i = 0; i + 1 < n; i++)
		at[i] = (uint8_t)(bits >> (16 - 8 * i));
	return 0;
}

int base64_decode(struct buf *out, const char *text, size_t len)
{
	uint8_t *at;
	int err = 0;

	if (len && !(len % 4) && text[len - 1] == '=')
		len -= text[len - 2] == '=' ? 2 : 1;
	if (len % 4 == 1)
		return -EBADMSG;
	at = buf_room(out, len / 4 * 3 + 3);
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < len && !err; i += 4) {
		size_t n = len - i < 4 ? len - i : 4;

		err = decode_group(at + i / 4 * 3, text + i, n);
	}
	if (!err)
		out->len += len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);
	return err;
}

void base64_encode(struct buf *out, const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16;

		bits |= n > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		bits |= n > 2 ? in[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			buf_char(out, k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
	}
}
