// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/name_cut.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/profile/name_parts.h"

/* Narrower texts show both ends only. */
#define LEAST_WINDOW 10

/* Bytes from s[at] backwards to the beginning of a character. */
static size_t char_begin(const char *s, size_t at)
{
	while (at && ((unsigned char)s[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* Appends the end of a text in so many columns. */
static void add_end(struct buf *out, const char *text, size_t columns)
{
	size_t len;

	for (size_t width = text_columns(text); width > columns; text += len)
		width -= text_char(text, &len);
	buf_str(out, text);
}

void name_cut(struct buf *out, const char *text, size_t columns, size_t at)
{
	size_t used, head, before = text_columns_n(text, at);

	if (columns < LEAST_WINDOW || !at) {
		text_add_cut(out, text, columns);
		return;
	}
	head = before + 5 <= columns && before + 2 > columns / 2 ? before + 2 : columns / 3;
	buf_add(out, text, text_prefix(text, before < head ? head : columns / 3, &used));
	buf_str(out, "..");
	columns -= used + 2;
	at = char_begin(text, at < 2 ? 0 : at - 2);
	if (before < head || text_columns(text + at) <= columns) {
		add_end(out, text, columns);
		return;
	}
	buf_add(out, text + at, text_prefix(text + at, columns - 2, &used));
	buf_str(out, "..");
}

int name_drop_halves(struct buf *out, const char *cut)
{
	size_t len = strlen(cut), n;
	_cleanup_free_ bool *is_whole = calloc(len + 1, 1);
	struct name_parts p = {0};

	if (!is_whole || name_parts_find(&p, cut, len)) {
		name_parts_release(&p);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p.groups.len; i++)
		if (p.groups.data[i].close)
			is_whole[p.groups.data[i].open] = is_whole[p.groups.data[i].close] = true;
	name_parts_release(&p);
	for (size_t i = 0; i < len; i += n) {
		n = name_operator_len(cut, (uint32_t)i);
		n = n ? n : 1;
		if (n > 1 || is_whole[i] || !strchr("(<[{)>]}", cut[i]))
			buf_add(out, cut + i, n);
	}
	return 0;
}
