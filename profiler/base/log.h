/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages go to stderr, data to stdout. Lines start with "kiln: " and are cleaned of terminal
 * escapes. Log an error once, where its context is known; callers pass the code up.
 */
#ifndef KILN_BASE_LOG_H
#define KILN_BASE_LOG_H

enum log_level { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE };

void log_set_level(enum log_level level);
enum log_level log_level(void);

#define LOG_PRINTF __attribute__((format(printf, 1, 2)))
LOG_PRINTF void log_error(const char *fmt, ...);   /* always */
LOG_PRINTF void log_warning(const char *fmt, ...); /* unless quiet; prefixed "warning: " */
LOG_PRINTF void log_info(const char *fmt, ...);	   /* unless quiet */
LOG_PRINTF void log_debug(const char *fmt, ...);   /* when verbose */

#endif
