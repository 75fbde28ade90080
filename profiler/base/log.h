/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages go to stderr, data to stdout. Lines start with "kiln: " and are cleaned of terminal
 * escapes. Log an error once, where its context is known; callers pass the code up. A service
 * that runs for ever writes lines for programs instead, and few of them. While nobody reads them they are counted
 * (not_shown) and left out: it does not wait. Any thread may call.
 */
#ifndef KILN_BASE_LOG_H
#define KILN_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_QUIET, LOG_WARNINGS, LOG_NORMAL, LOG_VERBOSE };

void log_set_level(enum log_level level);
enum log_level log_level(void);

enum log_format {
	LOG_TEXT,   /* for people */
	LOG_LOGFMT, /* ts=2026-11-22T02:14:07.123Z level=info msg="..." */
	LOG_JSON,   /* {"ts":"...","level":"info","msg":"..."} */
};
void log_set_format(enum log_format format);

/* From now on at most so many lines a minute, and what was said in the last minute is not said again
 * (log_limit.h); 0: no limit. When verbose there is none. */
void log_set_limit(unsigned lines_a_minute);

/* How many new things would be written now: for who says a thing once, and can say it later. */
unsigned log_room(void);
static inline bool log_has_room(void)
{
	return log_room();
}

/* While this is set, what this thread says is an answer that somebody waits for: no limit counts. */
void log_set_answering(bool yes);

#define LOG_PRINTF __attribute__((format(printf, 1, 2)))
LOG_PRINTF void log_error(const char *fmt, ...);   /* always */
LOG_PRINTF void log_warning(const char *fmt, ...); /* unless quiet; prefixed "warning: " */
LOG_PRINTF void log_info(const char *fmt, ...);	   /* unless quiet */
LOG_PRINTF void log_debug(const char *fmt, ...);   /* when verbose */

#endif
