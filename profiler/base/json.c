// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/json.h"

#include "profiler/base/text.h"

/* Writes what separates the last element from the next. */
static void between(struct json *j)
{
	if (j->comma)
		buf_char(j->out, ',');
	if (j->line)
		buf_char(j->out, '\n');
	j->comma = true;
	j->line = false;
}

void json_open(struct json *j, char bracket)
{
	between(j);
	buf_char(j->out, bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	j->comma = false;
	between(j);
	buf_char(j->out, bracket);
}

static void put_text(struct buf *b, const char *s)
{
	buf_char(b, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			buf_printf(b, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f || c == '<' || c == '>' || c == '&') {
			buf_printf(b, "\\u%04x", c); /* '<' too: safe inside <script> */
		} else if (text_has_prefix(s, "\xe2\x80\xa8") ||
			   text_has_prefix(s, "\xe2\x80\xa9")) {
			buf_str(b, s[2] == '\xa8' ? "\\u2028" : "\\u2029"); /* ends a JS line */
			s += 2;
		} else {
			buf_char(b, *s);
		}
	}
	buf_char(b, '"');
}

void json_key(struct json *j, const char *key)
{
	json_text(j, key);
	buf_char(j->out, ':');
	j->comma = false;
}

void json_text(struct json *j, const char *s)
{
	between(j);
	put_text(j->out, s);
}

void json_int(struct json *j, int64_t v)
{
	between(j);
	if (v < 0)
		buf_char(j->out, '-');
	buf_dec(j->out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void json_uint(struct json *j, uint64_t v)
{
	between(j);
	buf_dec(j->out, v);
}

void json_double(struct json *j, double v)
{
	between(j);
	buf_printf(j->out, "%g", v);
}

void json_bool(struct json *j, bool v)
{
	between(j);
	buf_str(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
	between(j);
	buf_str(j->out, "null");
}

void json_raw(struct json *j, const struct buf *elements)
{
	if (elements->err)
		j->out->err = elements->err;
	if (!elements->len)
		return;
	between(j);
	buf_add(j->out, elements->data, elements->len);
}

void json_line(struct json *j)
{
	j->line = true;
}

void json_key_open(struct json *j, const char *key, char bracket)
{
	json_key(j, key);
	json_open(j, bracket);
}

void json_key_text(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_text(j, s);
}

void json_key_int(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

void json_key_uint(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_uint(j, v);
}

void json_key_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}
