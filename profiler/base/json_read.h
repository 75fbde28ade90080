/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads JSON (RFC 8259) of strangers: calls for every string, and keeps nothing. */
#ifndef KILN_BASE_JSON_READ_H
#define KILN_BASE_JSON_READ_H

#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 32

/* Where a value stands: a step for each object and array around it, the outermost first. */
struct json_step {
	const char *key; /* in an object; NULL in an array */
	size_t index;	 /* in an array */
};

/* A string that is a value: NUL-terminated UTF-8 as far as the file's was, without NUL bytes. Borrowed, as
 * the steps are. Non-zero ends the walk. */
typedef int (*json_string_fn)(void *ctx, const struct json_step *steps, size_t n_steps,
			      const char *text);

/* 0, what fn returned, -EBADMSG (no JSON, or too deep), or -ENOMEM. */
int json_read(const char *data, size_t len, json_string_fn fn, void *ctx);

/* The same; word() gets what is no string, as it is written: a number, true, false or null. Its spelling is not
 * checked, and it has at most JSON_MAX_WORD bytes. */
#define JSON_MAX_WORD 63
int json_read_all(const char *data, size_t len, json_string_fn fn, json_string_fn word, void *ctx);

#endif
