// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/clickhouse/ch_text.h"

#include <inttypes.h>
#include <string.h>

#include "profiler/base/clock.h"

/* What the server reads as this byte behind a backslash; 0: the byte stands for itself. */
static char escape_of(char c, char quote)
{
	switch (c) {
	case '\0':
		return '0';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '\\':
		return '\\';
	default:
		return c == quote ? quote : '\0';
	}
}

static void add_quoted(struct buf *sql, const char *text, size_t len, char quote)
{
	buf_char(sql, quote);
	for (size_t i = 0; i < len; i++) {
		char escape = escape_of(text[i], quote);

		if (escape)
			buf_char(sql, '\\');
		buf_char(sql, escape ? escape : text[i]);
	}
	buf_char(sql, quote);
}

void ch_add_string(struct buf *sql, const char *text, size_t len)
{
	add_quoted(sql, text, len, '\'');
}

void ch_add_text(struct buf *sql, const char *text)
{
	ch_add_string(sql, text, strlen(text));
}

void ch_add_name(struct buf *sql, const char *name)
{
	add_quoted(sql, name, strlen(name), '`');
}

void ch_add_time(struct buf *sql, int64_t unix_ns)
{
	int64_t s = unix_ns < 0 ? 0 : unix_ns / (int64_t)NS_PER_S;

	buf_printf(sql, "toDateTime(%" PRId64 ")", s < UINT32_MAX ? s : UINT32_MAX);
}
