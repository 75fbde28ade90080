/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of a ClickHouse, made without one; and SQL against golden files (tests/golden/fleet). */
#ifndef KILN_TESTS_FLEET_ANSWERS_H
#define KILN_TESTS_FLEET_ANSWERS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/clickhouse/ch_native.h"

/* A column of n rows follows. */
static inline void put_texts(struct buf *b, const char *name, const char *const *texts, size_t n)
{
	ch_put_column(b, name, CH_STRING, false);
	for (size_t i = 0; i < n; i++)
		ch_put_string(b, texts[i], strlen(texts[i]));
}

static inline void put_numbers(struct buf *b, const char *name, const int64_t *numbers, size_t n)
{
	ch_put_column(b, name, CH_INT64, false);
	for (size_t i = 0; i < n; i++)
		ch_put_u64(b, (uint64_t)numbers[i]);
}

#define TEXTS(b, name, ...)                                                                        \
	put_texts(b, name, (const char *const[]){__VA_ARGS__},                                     \
		  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define NUMBERS(b, name, ...)                                                                      \
	put_numbers(b, name, (const int64_t[]){__VA_ARGS__},                                       \
		    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* The answer of this body. */
static inline struct ch_answer answer_of(struct buf *body)
{
	struct ch_answer a = {0};
	struct why why = {""};
	int err = ch_answer_parse(&a, body, &why);

	if (err)
		fail_msg("%s", why.text);
	return a;
}

static inline void assert_sql(const char *name, struct buf *got)
{
	const char *src = getenv("SRC");
	_cleanup_free_ char *want = NULL;
	char path[4096];
	size_t len;

	buf_str(got, "\n");
	snprintf(path, sizeof(path), "%s/tests/golden/fleet/%s.sql", src ? src : ".", name);
	if (getenv("UPDATE_GOLDEN")) {
		_cleanup_fclose_ FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_int_equal(fwrite(got->data, 1, got->len, f), got->len);
	} else {
		assert_int_equal(io_read_file(path, 1 << 20, &want, &len), 0);
		assert_string_equal(buf_cstr(got), want);
	}
	buf_release(got);
}

#endif
