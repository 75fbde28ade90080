/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text in and out: strict parsing of what people type, safe printing of what strangers named. */
#ifndef KILN_BASE_TEXT_H
#define KILN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* Whole-string decimal number: "12abc", "", "-1" are -EINVAL; above max is -ERANGE. */
int text_parse_u64(const char *s, uint64_t max, uint64_t *out);

/* "10", "10s", "1.5m", "500ms", "2h", "1d"; a bare number is seconds. 0, -EINVAL or -ERANGE. */
int text_parse_duration_ns(const char *s, uint64_t *ns);

bool text_has_prefix(const char *s, const char *prefix);
bool text_has_suffix(const char *s, const char *suffix);

/*
 * Appends s (len bytes) with everything that is not printable UTF-8 replaced by U+FFFD: control
 * characters, C1, DEL, broken sequences, surrogates, bidirectional overrides (U+202A-E, U+2066-9).
 * Use once where foreign names come in; the result is safe on a terminal.
 */
void text_add_clean(struct buf *b, const char *s, size_t len);
/* malloc'd clean copy, or NULL when out of memory. */
char *text_clean_dup(const char *s, size_t len);
/* True if text_add_clean() would change nothing. */
bool text_is_clean(const char *s, size_t len);

/* Appends with & < > " ' escaped; the input should be clean already. For JSON see json.h. */
void text_add_html(struct buf *b, const char *s);

/* Lowercase hex of len bytes, NUL-terminated: out holds 2 * len + 1. */
void text_hex(const void *data, size_t len, char *out);
/* Parses hex (even number of digits, either case). Bytes written, or -EINVAL / -ERANGE (> max). */
int text_unhex(const char *s, uint8_t *out, size_t max);

/* "1.23 s", "45.6 ms", "7 us", "120 ns"; and "1,234,567". Into a buffer of at least 32 bytes. */
const char *text_format_ns(uint64_t ns, char *out, size_t size);
const char *text_format_count(uint64_t n, char *out, size_t size);

/* Width in terminal columns of clean UTF-8 (East Asian wide = 2, combining = 0). */
size_t text_columns(const char *s);

#endif
