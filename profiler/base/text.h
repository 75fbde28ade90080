/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict parsing of user input, and safe printing of foreign text. */
#ifndef KILN_BASE_TEXT_H
#define KILN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* Parses a whole string as a decimal number. "12abc", "" and "-1" are -EINVAL; above max is
 * -ERANGE. */
int text_parse_u64(const char *s, uint64_t max, uint64_t *out);

/* "10", "10s", "1.5m", "500ms", "2h", "1d"; a bare number is seconds. 0, -EINVAL or -ERANGE. */
int text_parse_duration_ns(const char *s, uint64_t *ns);

/* Either may be NULL, which equals itself alone. */
bool text_same(const char *a, const char *b);
bool text_has_prefix(const char *s, const char *prefix);
bool text_has_suffix(const char *s, const char *suffix);

/*
 * Appends s (len bytes). Replaces everything that is not printable UTF-8 by U+FFFD: control
 * characters, C1, DEL, broken sequences, surrogates, bidirectional overrides (U+202A-E, U+2066-9). What is drawn as
 * nothing becomes "\u200b" and the like, so that different texts look different; joiners stay behind letters that are
 * not ASCII.
 * Use it once, where foreign text comes in. The result is safe on a terminal.
 */
void text_add_clean(struct buf *b, const char *s, size_t len);
/* malloc'd clean copy, or NULL when out of memory. */
char *text_clean_dup(const char *s, size_t len);
/* True if text_add_clean() would change nothing. */
bool text_is_clean(const char *s, size_t len);
/* True of "", and of a clean text that shows nothing but spaces of any width. */
bool text_is_blank(const char *s);
/* Bytes of s, from its start, that are valid UTF-8 (RFC 3629), whatever they mean. */
size_t text_utf8_run(const char *s, size_t len);

/* Appends with & < > " ' escaped. The input should be clean. For JSON see json.h. */
void text_add_html(struct buf *b, const char *s);
/* Appends with %XX for all but the unreserved characters of URLs (RFC 3986, 2.3). */
void text_add_url(struct buf *b, const char *s);

/* Lowercase hex of len bytes, NUL-terminated: out holds 2 * len + 1. */
void text_hex(const void *data, size_t len, char *out);
/* Overwrites a secret up to its end; NULL is fine. */
void text_wipe(char *s);
/* True of one hex digit or more, either case, and nothing else. */
bool text_is_hex(const char *s);

/* Parses hex digits, an even number, either case. Returns the number of bytes, -EINVAL, or
 * -ERANGE (> max). */
int text_unhex(const char *s, uint8_t *out, size_t max);

/* Writes "1.23 s", "45.6 ms", "7 us", "120 ns", or "1,234,567" into a buffer of at least 32
 * bytes. Returns out. */
const char *text_format_ns(uint64_t ns, char *out, size_t size);
const char *text_format_count(uint64_t n, char *out, size_t size);
/* What a word has at its end if there are n of it: "" or "s". */
static inline const char *text_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Width of clean UTF-8 in terminal columns (East Asian wide = 2, combining = 0). */
size_t text_columns(const char *s);
size_t text_columns_n(const char *s, size_t len);
/* Columns of the first character of s with its combining marks, and its length; 0 at the end. */
size_t text_char(const char *s, size_t *len_bytes);
/* Bytes of s that fit in `columns` columns, whole characters with their marks. *used: the columns
 * that they take. */
size_t text_prefix(const char *s, size_t columns, size_t *used);
/* Appends s in at most `columns` columns, which it returns; ".." stands for its middle, because the
 * ends say most. */
size_t text_add_cut(struct buf *b, const char *s, size_t columns);

#endif
