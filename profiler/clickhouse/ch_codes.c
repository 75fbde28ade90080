// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/clickhouse/ch_codes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"

#define MAX_SAID   200
#define MAX_DIGITS 6

static const struct ch_meaning meanings[] = {
#define X(code, name, what, advice) {code, #name, what, advice},
	CH_CODES(X)
#undef X
};

const struct ch_meaning *ch_meaning(int code)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].code == code)
			return &meanings[i];
	return NULL;
}

/* "Code: 60" at s; 0: it is none. */
static int code_at(const char *s, size_t len)
{
	static const char before[] = "Code: ";
	size_t n = sizeof(before) - 1, digits = 0;
	int code = 0;

	if (len < n || memcmp(s, before, n) != 0)
		return 0;
	for (; n + digits < len && isdigit((unsigned char)s[n + digits]); digits++)
		if (digits < MAX_DIGITS)
			code = 10 * code + (s[n + digits] - '0');
	return digits <= MAX_DIGITS ? code : 0;
}

/* What follows data is an exception only with the word for it. */
static const char *find_exception(const struct buf *body, const char *word)
{
	return body->len ? memmem(body->data, body->len, word, strlen(word)) : NULL;
}

int ch_code_of(const struct net_answer *a, bool is_text)
{
	const char *at, *end = a->body.data + a->body.len;

	if (a->clickhouse_code)
		return a->clickhouse_code;
	if (!is_text || !find_exception(&a->body, "DB::"))
		return 0;
	for (at = a->body.data; (at = memmem(at, (size_t)(end - at), "Code: ", 6)); at++) {
		int code = code_at(at, (size_t)(end - at));

		if (code)
			return code;
	}
	return 0;
}

static size_t cut_at(const char *s, size_t len, const char *word)
{
	const char *at = memmem(s, len, word, strlen(word));

	return at ? (size_t)(at - s) : len;
}

void ch_add_said(struct buf *out, const struct net_answer *a)
{
	static const char word[] = "DB::Exception: ";
	const char *s = find_exception(&a->body, word);
	size_t len, before = out->len;

	if (!s)
		return;
	s += strlen(word);
	len = (size_t)(a->body.data + a->body.len - s);
	len = cut_at(s, len, ", e.what()");
	len = cut_at(s, len, " (version ");
	len = cut_at(s, len, "\n");
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	text_add_clean(out, s, len < MAX_SAID ? len : MAX_SAID);
	if (!out->err && out->len - before > MAX_SAID)
		out->len = before + text_utf8_run(out->data + before, MAX_SAID);
}
