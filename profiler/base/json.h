/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes JSON into a buffer, element after element: the writer sets the commas. Errors are those of
 * the buffer. That brackets match, and that objects have keys, is the caller's business.
 */
#ifndef KILN_BASE_JSON_H
#define KILN_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* Zeroed but for the buffer, which is borrowed. */
struct json {
	struct buf *out;
	bool comma; /* something stands before what comes next */
	bool line;  /* what comes next begins a line */
};

void json_open(struct json *j, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);
void json_key(struct json *j, const char *key);

/* Values: of an array, or after a key. */
void json_text(struct json *j, const char *s); /* clean UTF-8 (text.h); safe inside <script> */
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_double(struct json *j, double v); /* finite, six digits */
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* Elements that another writer has made, or nothing; the error of that buffer becomes ours. */
void json_raw(struct json *j, const struct buf *elements);

/* The next element, or closing bracket, begins a new line. */
void json_line(struct json *j);

/* A key and its value. */
void json_key_open(struct json *j, const char *key, char bracket);
void json_key_text(struct json *j, const char *key, const char *s);
void json_key_int(struct json *j, const char *key, int64_t v);
void json_key_uint(struct json *j, const char *key, uint64_t v);
void json_key_bool(struct json *j, const char *key, bool v);

#endif
