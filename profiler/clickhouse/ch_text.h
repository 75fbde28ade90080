/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreign text inside statements of ClickHouse: nothing else may write a quotation mark into one. */
#ifndef KILN_CLICKHOUSE_CH_TEXT_H
#define KILN_CLICKHOUSE_CH_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* 'TEXT': any bytes, also NUL and broken UTF-8. The server reads the same bytes back. */
void ch_add_string(struct buf *sql, const char *text, size_t len);
void ch_add_text(struct buf *sql, const char *text); /* NUL-terminated */
/* `NAME`: of a database, table, column or cluster. */
void ch_add_name(struct buf *sql, const char *name);
/* toDateTime(SECONDS), which means the same in each time zone. Outside of 1970 to 2106: the nearest that there is. */
void ch_add_time(struct buf *sql, int64_t unix_ns);

#endif
