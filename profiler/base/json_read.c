// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/json_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"

struct reader {
	const char *at, *end;
	json_string_fn fn, word; /* word: or NULL */
	void *ctx;
	struct json_step steps[JSON_MAX_DEPTH];
	struct buf keys[JSON_MAX_DEPTH]; /* of the steps */
	struct buf text;
	size_t depth;
};

static void skip_space(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int hex4(struct reader *r, uint32_t *out)
{
	uint32_t v = 0;

	if (r->end - r->at < 4)
		return -EBADMSG;
	for (int i = 0; i < 4; i++) {
		char c = *r->at++;

		if (!isxdigit((unsigned char)c))
			return -EBADMSG;
		v = v << 4 |
		    (uint32_t)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	*out = v;
	return 0;
}

static void add_utf8(struct buf *b, uint32_t cp)
{
	if (cp < 0x80) {
		buf_char(b, (char)cp);
	} else if (cp < 0x800) {
		buf_char(b, (char)(0xc0 | cp >> 6));
		buf_char(b, (char)(0x80 | (cp & 0x3f)));
	} else if (cp < 0x10000) {
		buf_char(b, (char)(0xe0 | cp >> 12));
		buf_char(b, (char)(0x80 | (cp >> 6 & 0x3f)));
		buf_char(b, (char)(0x80 | (cp & 0x3f)));
	} else {
		buf_char(b, (char)(0xf0 | cp >> 18));
		buf_char(b, (char)(0x80 | (cp >> 12 & 0x3f)));
		buf_char(b, (char)(0x80 | (cp >> 6 & 0x3f)));
		buf_char(b, (char)(0x80 | (cp & 0x3f)));
	}
}

/* Behind "\u". What is no character, or NUL, becomes U+FFFD. */
static int read_unicode(struct reader *r, struct buf *b)
{
	uint32_t cp, low;
	int err = hex4(r, &cp);

	if (err)
		return err;
	if (cp >= 0xd800 && cp < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' &&
	    r->at[1] == 'u') {
		r->at += 2;
		err = hex4(r, &low);
		if (err)
			return err;
		cp = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((cp - 0xd800) << 10) + low - 0xdc00
						   : 0xfffd;
	}
	add_utf8(b, !cp || (cp >= 0xd800 && cp < 0xe000) ? 0xfffd : cp);
	return 0;
}

static int read_escape(struct reader *r, struct buf *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (r->at == r->end)
		return -EBADMSG;
	if (*r->at == 'u') {
		r->at++;
		return read_unicode(r, b);
	}
	found = *r->at ? strchr(from, *r->at) : NULL;
	if (!found)
		return -EBADMSG;
	r->at++;
	buf_char(b, to[found - from]);
	return 0;
}

static int read_string(struct reader *r, struct buf *b)
{
	buf_clear(b);
	if (!take(r, '"'))
		return -EBADMSG;
	while (r->at < r->end && *r->at != '"') {
		char c = *r->at++;
		int err = 0;

		if ((unsigned char)c < 0x20)
			return -EBADMSG;
		if (c == '\\')
			err = read_escape(r, b);
		else
			buf_char(b, c);
		if (err)
			return err;
	}
	if (r->at == r->end)
		return -EBADMSG;
	r->at++;
	return b->err;
}

/* A number, true, false or null. */
static int read_word(struct reader *r)
{
	const char *start = r->at;
	char word[JSON_MAX_WORD + 1];
	size_t len;

	while (r->at < r->end && (isalnum((unsigned char)*r->at) || strchr("+-.", *r->at)) &&
	       *r->at)
		r->at++;
	len = (size_t)(r->at - start);
	if (!len || (r->word && len > JSON_MAX_WORD))
		return -EBADMSG;
	if (!r->word)
		return 0;
	memcpy(word, start, len);
	word[len] = '\0';
	return r->word(r->ctx, r->steps, r->depth, word);
}

static int read_value(struct reader *r);

/* Behind the bracket. */
static int read_members(struct reader *r, bool object)
{
	struct json_step *step;
	char close = object ? '}' : ']';
	size_t d = r->depth;
	int err = 0;

	if (take(r, close))
		return 0;
	if (d == JSON_MAX_DEPTH)
		return -EBADMSG;
	step = &r->steps[r->depth++];
	*step = (struct json_step){0};
	do {
		if (object) {
			err = read_string(r, &r->keys[d]);
			step->key = buf_cstr(&r->keys[d]);
			if (!err && !take(r, ':'))
				err = -EBADMSG;
		}
		err = err ?: read_value(r);
		step->index++;
	} while (!err && take(r, ','));
	r->depth--;
	return err ?: take(r, close) ? 0 : -EBADMSG;
}

static int read_value(struct reader *r)
{
	int err;

	skip_space(r);
	if (r->at == r->end)
		return -EBADMSG;
	if (*r->at == '{' || *r->at == '[')
		return read_members(r, *r->at++ == '{');
	if (*r->at != '"')
		return read_word(r);
	err = read_string(r, &r->text);
	return err ?: r->fn(r->ctx, r->steps, r->depth, buf_cstr(&r->text));
}

int json_read(const char *data, size_t len, json_string_fn fn, void *ctx)
{
	return json_read_all(data, len, fn, NULL, ctx);
}

int json_read_all(const char *data, size_t len, json_string_fn fn, json_string_fn word, void *ctx)
{
	struct reader r = {.at = data, .end = data + len, .fn = fn, .word = word, .ctx = ctx};
	int err = read_value(&r);

	skip_space(&r);
	if (!err && r.at != r.end)
		err = -EBADMSG;
	for (size_t i = 0; i < JSON_MAX_DEPTH; i++)
		buf_release(&r.keys[i]);
	buf_release(&r.text);
	return err;
}
