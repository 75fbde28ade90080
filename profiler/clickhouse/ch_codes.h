/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exceptions of ClickHouse, and what to do then. The status of HTTP says nothing: 500 may be wrong data, a full
 * disk, or another shard that is down.
 */
#ifndef KILN_CLICKHOUSE_CH_CODES_H
#define KILN_CLICKHOUSE_CH_CODES_H

#include <stdbool.h>

#include "profiler/base/buf.h"
#include "profiler/net/net_types.h"

enum ch_do {
	CH_AGAIN,  /* it was not done: later */
	CH_UNSURE, /* it may have been done: ask, then later */
	CH_REFUSE, /* never: it is the data's or the statement's fault */
	CH_STOP,   /* not as things are: rights, names, settings; data wait */
};

/* X(code, ClickHouse's name, what to do, advice or NULL) */
#define CH_CODES(X)                                                                                \
	X(16, NO_SUCH_COLUMN_IN_TABLE, CH_STOP, "its tables are not kiln's: kiln fleet init")      \
	X(27, CANNOT_PARSE_INPUT_ASSERTION_FAILED, CH_REFUSE, NULL)                                \
	X(33, CANNOT_READ_ALL_DATA, CH_REFUSE, NULL)                                               \
	X(36, BAD_ARGUMENTS, CH_STOP, NULL)                                                        \
	X(44, ILLEGAL_COLUMN, CH_STOP, NULL)                                                       \
	X(46, UNKNOWN_FUNCTION, CH_STOP, "the server is too old for that")                         \
	X(47, UNKNOWN_IDENTIFIER, CH_STOP, "its tables are not kiln's: kiln fleet init")           \
	X(50, UNKNOWN_TYPE, CH_STOP, "the server is too old for that")                             \
	X(53, TYPE_MISMATCH, CH_REFUSE, NULL)                                                      \
	X(57, TABLE_ALREADY_EXISTS, CH_STOP, NULL)                                                 \
	X(60, UNKNOWN_TABLE, CH_STOP, "make the tables: kiln fleet init")                          \
	X(62, SYNTAX_ERROR, CH_REFUSE, NULL)                                                       \
	X(73, UNKNOWN_FORMAT, CH_REFUSE, NULL)                                                     \
	X(81, UNKNOWN_DATABASE, CH_STOP, "make the database: kiln fleet init")                     \
	X(89, ATTEMPT_TO_READ_AFTER_EOF, CH_REFUSE, NULL)                                          \
	X(115, UNKNOWN_SETTING, CH_STOP, "the server knows no such setting")                       \
	X(117, INCORRECT_DATA, CH_REFUSE, NULL)                                                    \
	X(159, TIMEOUT_EXCEEDED, CH_UNSURE, NULL)                                                  \
	X(164, READONLY, CH_STOP, "this user may not write")                                       \
	X(170, BAD_GET, CH_STOP, NULL)                                                             \
	X(192, UNKNOWN_USER, CH_STOP, "check the user in the URL")                                 \
	X(193, WRONG_PASSWORD, CH_STOP, "set username and password_file")                          \
	X(194, REQUIRED_PASSWORD, CH_STOP, "set username and password_file")                       \
	X(202, TOO_MANY_SIMULTANEOUS_QUERIES, CH_AGAIN, NULL)                                      \
	X(209, SOCKET_TIMEOUT, CH_UNSURE, NULL)                                                    \
	X(210, NETWORK_ERROR, CH_UNSURE, NULL)                                                     \
	X(216, QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING, CH_UNSURE, NULL)                             \
	X(225, NO_ZOOKEEPER, CH_AGAIN, NULL)                                                       \
	X(236, ABORTED, CH_UNSURE, NULL)                                                           \
	X(241, MEMORY_LIMIT_EXCEEDED, CH_AGAIN, NULL)                                              \
	X(242, TABLE_IS_READ_ONLY, CH_AGAIN, NULL)                                                 \
	X(243, NOT_ENOUGH_SPACE, CH_AGAIN, "the server's disk is full")                            \
	X(252, TOO_MANY_PARTS, CH_AGAIN, "fewer and larger inserts: a longer batch")               \
	X(279, ALL_CONNECTION_TRIES_FAILED, CH_AGAIN, NULL)                                        \
	X(285, TOO_FEW_LIVE_REPLICAS, CH_AGAIN, NULL)                                              \
	X(291, DATABASE_ACCESS_DENIED, CH_STOP, "let this user have the database")                 \
	X(319, UNKNOWN_STATUS_OF_INSERT, CH_UNSURE, NULL)                                          \
	X(368, BAD_TYPE_OF_FIELD, CH_STOP, NULL)                                                   \
	X(394, QUERY_WAS_CANCELLED, CH_UNSURE, NULL)                                               \
	X(432, UNKNOWN_CODEC, CH_STOP, "the server knows no such codec")                           \
	X(439, CANNOT_SCHEDULE_TASK, CH_AGAIN, NULL)                                               \
	X(452, SETTING_CONSTRAINT_VIOLATION, CH_STOP, "this user may not set what kiln has to")    \
	X(497, ACCESS_DENIED, CH_STOP, "grant this user INSERT, and SELECT on kiln's tables")      \
	X(516, AUTHENTICATION_FAILED, CH_STOP, "set username and password_file")                   \
	X(999, KEEPER_EXCEPTION, CH_UNSURE, NULL)

struct ch_meaning {
	int code;
	const char *name;
	enum ch_do what;
	const char *advice; /* NULL: none */
};

/* Of a code that is not in the table: NULL. */
const struct ch_meaning *ch_meaning(int code);

/* The exception that an answer has in its header, or in its body ("Code: 60, ..."), whatever its status; 0: none. A
 * body of data is not looked at unless is_text: it may hold such words. */
int ch_code_of(const struct net_answer *a, bool is_text);
/* What the server says of it: one line of clean UTF-8, without versions and stacks; appended. */
void ch_add_said(struct buf *out, const struct net_answer *a);

#endif
