// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/text.h"

struct parser {
	const char *at;
	const char *why;
};

static int wrong(struct parser *p, const char *why)
{
	p->why = why;
	return -EINVAL;
}

static void skip_space(struct parser *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

/* --- strings, as Go has them ------------------------------------------------------------------- */

static int hex(struct parser *p, unsigned digits, uint32_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < digits; i++) {
		char c = *p->at;

		if (!isxdigit((unsigned char)c))
			return wrong(p, "an escape in a string is malformed");
		*out = *out << 4 |
		       (uint32_t)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
		p->at++;
	}
	return 0;
}

static void add_rune(struct buf *b, uint32_t cp)
{
	char text[4];
	size_t n = 0;

	if (cp < 0x80) {
		text[n++] = (char)cp;
	} else if (cp < 0x800) {
		text[n++] = (char)(0xc0 | cp >> 6);
	} else if (cp < 0x10000) {
		text[n++] = (char)(0xe0 | cp >> 12);
		text[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
	} else {
		text[n++] = (char)(0xf0 | (cp >> 18 & 7));
		text[n++] = (char)(0x80 | (cp >> 12 & 0x3f));
		text[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
	}
	if (cp >= 0x80)
		text[n++] = (char)(0x80 | (cp & 0x3f));
	buf_add(b, text, n);
}

/* Behind the backslash. */
static int take_escape(struct parser *p, struct buf *b)
{
	static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
	char c = *p->at;
	const char *found = c ? strchr(from, c) : NULL;
	uint32_t cp;
	int err;

	if (found) {
		buf_char(b, to[found - from]);
		p->at++;
		return 0;
	}
	if (c != 'x' && c != 'u' && c != 'U')
		return wrong(p, "an escape in a string is malformed");
	p->at++;
	err = hex(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, &cp);
	if (err)
		return err;
	if (!cp || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return wrong(p, "a string holds what is no character");
	if (c == 'x')
		buf_char(b, (char)cp);
	else
		add_rune(b, cp);
	return 0;
}

/* In double or single quotes, or as it is between back quotes. */
static int take_string(struct parser *p, struct buf *b)
{
	char quote = *p->at;
	int err = 0;

	if (quote != '"' && quote != '\'' && quote != '`')
		return wrong(p, "a label's value stands in double quotes");
	p->at++;
	while (*p->at && *p->at != quote && !err) {
		char c = *p->at++;

		if (c == '\\' && quote != '`')
			err = take_escape(p, b);
		else
			buf_char(b, c);
	}
	if (err)
		return err;
	if (*p->at != quote)
		return wrong(p, "a string has no end");
	p->at++;
	return 0;
}

/* --- matchers ---------------------------------------------------------------------------------- */

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.-/", c)) || (unsigned char)c >= 0x80;
}

static int take_name(struct parser *p, struct buf *name)
{
	int err = 0;

	if (*p->at == '"')
		err = take_string(p, name);
	else
		while (is_name_char(*p->at))
			buf_char(name, *p->at++);
	for (const char *c = buf_cstr(name); *c && !err; c++)
		if (!is_name_char(*c))
			err = wrong(p, "a label's name holds a character that none has");
	if (!err && !name->len)
		return wrong(p, "a label's name is missing");
	return err;
}

static int take_op(struct parser *p, const char **op)
{
	static const char *const ops[] = {"=~", "!~", "!=", "="};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (!text_has_prefix(p->at, ops[i]))
			continue;
		*op = ops[i];
		p->at += strlen(ops[i]);
		return 0;
	}
	return wrong(p, "one of = != =~ !~ is missing");
}

static void add_condition(struct buf *out, struct buf *name, const char *op, struct buf *value)
{
	buf_printf(out, "%s%s%s\"", out->len ? "," : "", buf_cstr(name), op);
	for (const char *c = buf_cstr(value); *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_char(out, '\\');
		buf_char(out, *c);
	}
	buf_char(out, '"');
}

static int take_matcher(struct parser *p, struct buf *where, struct buf *meta)
{
	struct buf name = {0}, value = {0};
	const char *op = "";
	int err = take_name(p, &name);

	skip_space(p);
	err = err ?: take_op(p, &op);
	skip_space(p);
	err = err ?: take_string(p, &value);
	if (!err)
		add_condition(text_has_prefix(buf_cstr(&name), "__") ? meta : where, &name, op,
			      &value);
	err = err ?: name.err ?: value.err;
	buf_release(&name);
	buf_release(&value);
	skip_space(p);
	return err;
}

static int take_matchers(struct parser *p, struct buf *where, struct buf *meta)
{
	skip_space(p);
	while (*p->at != '}') {
		int err = take_matcher(p, where, meta);

		if (err)
			return err;
		if (*p->at == ',') {
			p->at++;
			skip_space(p);
		} else if (*p->at != '}') {
			return wrong(p,
				     "between two conditions there is a comma, and at the end }");
		}
	}
	p->at++;
	return 0;
}

int selector_parse(const char *text, struct buf *where, struct buf *meta, const char **why)
{
	struct parser p = {.at = text};
	int err = 0;

	skip_space(&p);
	if (*p.at == '{') {
		p.at++;
		err = take_matchers(&p, where, meta);
		skip_space(&p);
	}
	if (!err && *p.at)
		err = wrong(&p, "it is not of the form {label=\"value\"}");
	if (err == -EINVAL)
		*why = p.why;
	return err ?: where->err ?: meta->err;
}
