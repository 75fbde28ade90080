// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "profiler/base/text.h"

int text_parse_u64(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (digit > 9)
			return -EINVAL;
		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int text_parse_duration_ns(const char *s, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		double ns;
	} units[] = {{"", 1e9},	  {"s", 1e9},	 {"ms", 1e6},	{"us", 1e3},   {"ns", 1},
		     {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	char *end;
	double v;

	if (!isdigit((unsigned char)*s) && *s != '.')
		return -EINVAL;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return -EINVAL;
	v = strtod(s, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		v *= units[i].ns;
		if (!(v >= 0) || v > 9e18)
			return -ERANGE;
		*ns = (uint64_t)llround(v);
		return 0;
	}
	return -EINVAL;
}

bool text_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool text_has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool text_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !strcmp(s + n - m, suffix);
}

/*
 * Decodes one UTF-8 sequence (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
 * Returns its length, or 0 if it is invalid.
 */
static size_t utf8_decode(const unsigned char *s, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (!n || n > len || s[0] > 0xf4)
		return 0;
	*cp = n == 1 ? s[0] : s[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

size_t text_utf8_run(const char *s, size_t len)
{
	size_t i = 0, n;
	uint32_t cp;

	while (i < len && (n = utf8_decode((const unsigned char *)s + i, len - i, &cp)))
		i += n;
	return i;
}

/* Drawn as nothing, so that two texts look the same (Unicode's Default_Ignorable_Code_Point). */
static const struct {
	uint32_t first, last;
} invisible[] = {
	{0xad, 0xad},	  {0x34f, 0x34f},     {0x61c, 0x61c},	  {0x115f, 0x1160},
	{0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x200b, 0x200f},	  {0x2060, 0x206f},
	{0x2800, 0x2800}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},	  {0xffa0, 0xffa0},
	{0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

/* Between letters of some scripts, and in emoji, these choose a shape that is seen. */
static bool is_joiner(uint32_t cp)
{
	return cp == 0x200c || cp == 0x200d || (cp >= 0xfe00 && cp <= 0xfe0f);
}

static bool is_invisible(uint32_t cp, uint32_t before)
{
	if (is_joiner(cp) && before >= 0x80)
		return false;
	for (size_t i = 0; i < sizeof(invisible) / sizeof(*invisible); i++)
		if (cp >= invisible[i].first && cp <= invisible[i].last)
			return true;
	return false;
}

/* Changes the order or the lines of what is around it, or the state of a terminal. */
static bool is_harmful(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return true;
	if ((cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069))
		return true;
	return cp == 0x2028 || cp == 0x2029 || cp == 0xfeff;
}

/* True if 8 bytes are all from ' ' to '~', as nearly all are. A borrow or carry only leaves a
 * byte outside this range, so it cannot change the result. */
static inline bool is_plain_word(const char *s)
{
	const uint64_t ones = 0x0101010101010101ull;
	uint64_t w;

	memcpy(&w, s, sizeof(w));
	return !(((w - 0x20 * ones) | w | (w + ones)) & 0x80 * ones);
}

/* Number of clean bytes from the start of s. *before: the character before it, and then the last one of them. */
static size_t clean_run(const char *s, size_t len, uint32_t *before)
{
	size_t i = 0;

	while (i < len) {
		uint32_t cp;
		size_t n;

		if (len - i >= sizeof(uint64_t) && is_plain_word(s + i)) {
			i += sizeof(uint64_t);
			*before = ' ';
			continue;
		}
		n = utf8_decode((const unsigned char *)s + i, len - i, &cp);
		if (!n || is_harmful(cp) || (cp >= 0x80 && is_invisible(cp, *before)))
			break;
		*before = cp;
		i += n;
	}
	return i;
}

/* As in C. */
static void add_escape(struct buf *b, uint32_t cp)
{
	buf_printf(b, cp > 0xffff ? "\\U%08" PRIx32 : "\\u%04" PRIx32, cp);
}

void text_add_clean(struct buf *b, const char *s, size_t len)
{
	uint32_t before = 0;

	while (len) {
		size_t run = clean_run(s, len, &before), bad;
		uint32_t cp;

		buf_add(b, s, run);
		s += run;
		len -= run;
		if (!len)
			return;
		bad = utf8_decode((const unsigned char *)s, len, &cp);
		if (bad && !is_harmful(cp))
			add_escape(b, cp);
		else
			buf_str(b, "\xef\xbf\xbd");
		before = 0;
		bad = bad ? bad : 1;
		s += bad;
		len -= bad;
	}
}

char *text_clean_dup(const char *s, size_t len)
{
	struct buf b = {0};

	text_add_clean(&b, s, len);
	return buf_take(&b);
}

bool text_is_clean(const char *s, size_t len)
{
	uint32_t before = 0;

	return clean_run(s, len, &before) == len;
}

static bool is_space(uint32_t cp)
{
	return cp == ' ' || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
	       cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

bool text_is_blank(const char *s)
{
	uint32_t cp;
	size_t n;

	for (; *s; s += n) {
		n = utf8_decode((const unsigned char *)s, strnlen(s, 4), &cp);
		if (!n || !is_space(cp))
			return false;
	}
	return true;
}

void text_add_html(struct buf *b, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			buf_str(b, "&amp;");
			break;
		case '<':
			buf_str(b, "&lt;");
			break;
		case '>':
			buf_str(b, "&gt;");
			break;
		case '"':
			buf_str(b, "&quot;");
			break;
		case '\'':
			buf_str(b, "&#39;");
			break;
		default:
			buf_char(b, *s);
		}
	}
}

void text_add_url(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_char(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned char)*s);
	}
}

void text_hex(const void *data, size_t len, char *out)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = "0123456789abcdef"[p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	out[2 * len] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_is_hex(const char *s)
{
	return *s && s[strspn(s, "0123456789abcdefABCDEF")] == '\0';
}

int text_unhex(const char *s, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (; *s; s += 2, n++) {
		int hi = hex_digit(s[0]), lo = hi < 0 ? -1 : hex_digit(s[1]);

		if (lo < 0)
			return -EINVAL;
		if (n == max)
			return -ERANGE;
		out[n] = (uint8_t)(hi << 4 | lo);
	}
	return (int)n;
}

const char *text_format_ns(uint64_t ns, char *out, size_t size)
{
	if (ns >= 1000000000)
		snprintf(out, size, "%.2f s", (double)ns / 1e9);
	else if (ns >= 1000000)
		snprintf(out, size, "%.1f ms", (double)ns / 1e6);
	else if (ns >= 1000)
		snprintf(out, size, "%" PRIu64 " us", ns / 1000);
	else
		snprintf(out, size, "%" PRIu64 " ns", ns);
	return out;
}

const char *text_format_count(uint64_t n, char *out, size_t size)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t o = 0;

	for (int i = 0; i < len && o + 2 < size; i++) {
		if (i && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
	return out;
}

/* Columns of the character at s, and its length; what is no UTF-8 is one byte of one column. */
static size_t one_char(const char *s, size_t len, size_t *n)
{
	uint32_t cp = 0;
	int w;

	*n = 1;
	if ((unsigned char)*s < 0x80)
		return 1;
	*n = utf8_decode((const unsigned char *)s, len, &cp);
	w = *n > 1 ? wcwidth((wchar_t)cp) : 1;
	*n = *n ? *n : 1;
	return w < 0 ? 1 : (size_t)w;
}

size_t text_columns_n(const char *s, size_t len)
{
	size_t columns = 0, n;

	for (; len; s += n, len -= n)
		columns += one_char(s, len, &n);
	return columns;
}

size_t text_columns(const char *s)
{
	return text_columns_n(s, strlen(s));
}

size_t text_char(const char *s, size_t *len_bytes)
{
	size_t width, n;

	*len_bytes = 0;
	if (!*s)
		return 0;
	width = one_char(s, strnlen(s, 4), len_bytes);
	while (s[*len_bytes] && !one_char(s + *len_bytes, strnlen(s + *len_bytes, 4), &n))
		*len_bytes += n;
	return width;
}

size_t text_prefix(const char *s, size_t columns, size_t *used)
{
	size_t at = 0, len;

	*used = 0;
	for (;;) {
		size_t width = text_char(s + at, &len);

		if (!len || *used + width > columns)
			return at;
		*used += width;
		at += len;
	}
}

/* Narrower texts are cut at their end: there is no room for both ends and the mark between. */
#define LEAST_MIDDLE 6

size_t text_add_cut(struct buf *b, const char *s, size_t columns)
{
	size_t width = text_columns(s), used, len, tail;

	if (width <= columns) {
		buf_str(b, s);
		return width;
	}
	if (columns < LEAST_MIDDLE) {
		buf_add(b, s, text_prefix(s, columns, &used));
		return used;
	}
	buf_add(b, s, text_prefix(s, (columns - 2 + 1) / 2, &used));
	buf_str(b, "..");
	tail = columns - 2 - used;
	for (; width > tail; s += len)
		width -= text_char(s, &len);
	buf_str(b, s);
	return used + 2 + width;
}

void text_wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
}
