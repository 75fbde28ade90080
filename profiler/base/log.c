// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"

static enum log_level current_level = LOG_NORMAL;

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_level(void)
{
	return current_level;
}

static void emit(const char *prefix, const char *fmt, va_list ap)
{
	struct buf raw = {0}, line = {0};

	buf_vprintf(&raw, fmt, ap);
	buf_str(&line, prefix);
	/* Newlines in a message are kiln's own. Other control characters are foreign. */
	for (const char *s = buf_cstr(&raw), *nl; *s; s = nl + 1) {
		nl = strchrnul(s, '\n');
		text_add_clean(&line, s, (size_t)(nl - s));
		buf_char(&line, '\n');
		if (!*nl)
			break;
	}
	fputs(buf_cstr(&line), stderr);
	buf_release(&raw);
	buf_release(&line);
}

#define DEFINE_LOG(name, prefix, least)                                                            \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		if (current_level < (least))                                                       \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		emit(prefix, fmt, ap);                                                             \
		va_end(ap);                                                                        \
	}
DEFINE_LOG(log_error, "kiln: ", LOG_QUIET)
DEFINE_LOG(log_warning, "kiln: warning: ", LOG_NORMAL)
DEFINE_LOG(log_info, "kiln: ", LOG_NORMAL)
DEFINE_LOG(log_debug, "kiln: debug: ", LOG_VERBOSE)
