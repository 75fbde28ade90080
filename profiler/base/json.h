/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes JSON into a buffer, element by element, and sets the commas. Errors are the buffer's. The
 * caller must match brackets and give keys in objects.
 */
#ifndef KILN_BASE_JSON_H
#define KILN_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* All zero except the buffer, which is borrowed. */
struct json {
	struct buf *out;
	bool comma; /* the next element needs a comma */
	bool line;  /* the next element begins a line */
};

void json_open(struct json *j, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);
void json_key(struct json *j, const char *key);

/* Values, in an array or after a key. */
void json_text(struct json *j, const char *s); /* clean UTF-8 (text.h); safe inside <script> */
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_double(struct json *j, double v); /* finite, six digits */
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* Adds elements that another writer has made (or none), and takes over that buffer's error. */
void json_raw(struct json *j, const struct buf *elements);

/* Begins a new line before the next element or closing bracket. */
void json_line(struct json *j);

/* A key with its value. */
void json_key_open(struct json *j, const char *key, char bracket);
void json_key_text(struct json *j, const char *key, const char *s);
void json_key_int(struct json *j, const char *key, int64_t v);
void json_key_uint(struct json *j, const char *key, uint64_t v);
void json_key_bool(struct json *j, const char *key, bool v);

#endif
