// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/json.h"
#include "profiler/base/log.h"
#include "profiler/base/log_limit.h"
#include "profiler/base/text.h"

static enum log_level current_level = LOG_NORMAL;
static enum log_format current_format = LOG_TEXT;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit limit;
static uint64_t unwritten; /* lines of a service, guarded by limit_lock */
static _Thread_local bool is_answering;

struct severity {
	enum log_level least;
	const char *name, *prefix;
};
static const struct severity severity_error = {LOG_QUIET, "error", "kiln: "};
static const struct severity severity_warning = {LOG_WARNINGS, "warning", "kiln: warning: "};
static const struct severity severity_info = {LOG_NORMAL, "info", "kiln: "};
static const struct severity severity_debug = {LOG_VERBOSE, "debug", "kiln: debug: "};

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_level(void)
{
	return current_level;
}

void log_set_format(enum log_format format)
{
	current_format = format;
}

void log_set_limit(unsigned lines_a_minute)
{
	pthread_mutex_lock(&limit_lock);
	limit = (struct log_limit){
		.lines_a_minute = lines_a_minute < LOG_MAX_LINES ? lines_a_minute : LOG_MAX_LINES,
	};
	pthread_mutex_unlock(&limit_lock);
}

void log_set_answering(bool yes)
{
	is_answering = yes;
}

/* Newlines in a message are kiln's own. Other control characters are foreign. */
static void add_text(struct buf *line, const struct severity *sev, const char *text)
{
	buf_str(line, sev->prefix);
	for (const char *s = text, *nl; *s; s = nl + 1) {
		nl = strchrnul(s, '\n');
		text_add_clean(line, s, (size_t)(nl - s));
		buf_char(line, '\n');
		if (!*nl)
			break;
	}
}

/* RFC 3339, UTC, milliseconds. */
static void format_now(char *out, size_t size)
{
	struct timespec ts;
	struct tm tm;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", gmtime_r(&ts.tv_sec, &tm));
	snprintf(out, size, "%s.%03ldZ", date, ts.tv_nsec / 1000000);
}

/* One line, whatever is in the message. */
static void add_clean_line(struct buf *out, const char *text)
{
	for (const char *s = text, *nl; *s; s = *nl ? nl + 1 : nl) {
		nl = strchrnul(s, '\n');
		text_add_clean(out, s, (size_t)(nl - s));
		if (*nl && nl[1])
			buf_char(out, ' ');
	}
}

static void add_record(struct buf *line, const struct severity *sev, const char *text,
		       uint64_t repeats, uint64_t hidden)
{
	struct buf clean = {0};
	char now[48];

	format_now(now, sizeof(now));
	add_clean_line(&clean, text);
	if (current_format == LOG_JSON) {
		struct json j = {.out = line};

		json_open(&j, '{');
		json_key_text(&j, "ts", now);
		json_key_text(&j, "level", sev->name);
		json_key_text(&j, "msg", buf_cstr(&clean));
		if (repeats)
			json_key_uint(&j, "repeated", repeats);
		if (hidden)
			json_key_uint(&j, "not_shown", hidden);
		json_close(&j, '}');
		buf_char(line, '\n');
	} else {
		buf_printf(line, "ts=%s level=%s msg=\"", now, sev->name);
		for (const char *c = buf_cstr(&clean); *c; c++)
			buf_printf(line, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
		buf_char(line, '"');
		if (repeats)
			buf_printf(line, " repeated=%" PRIu64, repeats);
		if (hidden)
			buf_printf(line, " not_shown=%" PRIu64, hidden);
		buf_char(line, '\n');
	}
	buf_release(&clean);
}

static bool admit(const char *text, uint64_t *repeats, uint64_t *hidden)
{
	bool yes;

	*repeats = *hidden = 0;
	if (current_level >= LOG_VERBOSE || is_answering)
		return true;
	pthread_mutex_lock(&limit_lock);
	yes = log_limit_admit(&limit, monotonic_ns(), text, repeats, hidden);
	pthread_mutex_unlock(&limit_lock);
	return yes;
}

unsigned log_room(void)
{
	unsigned room;

	if (current_level >= LOG_VERBOSE || is_answering)
		return UINT_MAX;
	pthread_mutex_lock(&limit_lock);
	room = log_limit_room(&limit, monotonic_ns());
	pthread_mutex_unlock(&limit_lock);
	return room;
}

/* Whether a line can be written without waiting. Else it and `lines` that stand for it are left to the next one, which
 * gets their number. */
static bool has_reader(uint64_t *lines)
{
	bool yes = io_can_write(STDERR_FILENO);

	pthread_mutex_lock(&limit_lock);
	*lines += unwritten;
	unwritten = yes ? 0 : *lines + 1;
	pthread_mutex_unlock(&limit_lock);
	return yes;
}

static void emit(const struct severity *sev, const char *fmt, va_list ap)
{
	struct buf raw = {0}, line = {0};
	uint64_t repeats, hidden;

	buf_vprintf(&raw, fmt, ap);
	if (admit(buf_cstr(&raw), &repeats, &hidden)) {
		if (current_format == LOG_TEXT)
			add_text(&line, sev, buf_cstr(&raw));
		else if (has_reader(&hidden)) /* a service does not stop because its log does */
			add_record(&line, sev, buf_cstr(&raw), repeats, hidden);
		fputs(buf_cstr(&line), stderr);
	}
	buf_release(&raw);
	buf_release(&line);
}

#define DEFINE_LOG(severity)                                                                       \
	void log_##severity(const char *fmt, ...)                                                  \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		if (current_level < severity_##severity.least)                                     \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		emit(&severity_##severity, fmt, ap);                                               \
		va_end(ap);                                                                        \
	}
DEFINE_LOG(error)
DEFINE_LOG(warning)
DEFINE_LOG(info)
DEFINE_LOG(debug)
