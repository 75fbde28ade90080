// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"

#define UNIT_LETTERS "smhdwniu" /* of s, ms, us, ns, m, min, h, d, w */

/* Exactly n digits at *s, past which it moves. -EINVAL: there are fewer. */
static int digits(const char **s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -EINVAL;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static bool take(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* Digits past the ninth count for nothing. */
static int64_t parse_fraction(const char **s)
{
	int64_t unit = NS_PER_S / 10, ns = 0;

	for (; isdigit((unsigned char)**s); (*s)++, unit /= 10)
		ns += (**s - '0') * unit;
	return ns;
}

/* H:MM[:SS[.FRACTION]] */
static int parse_clock(const char **s, struct tm *tm, int64_t *fraction_ns)
{
	int h = digits(s, (*s)[0] && (*s)[1] == ':' ? 1 : 2), m, sec = 0;
	bool has_seconds;

	if (h < 0 || h > 23 || !take(s, ':'))
		return -EINVAL;
	m = digits(s, 2);
	if (m < 0 || m > 59)
		return -EINVAL;
	has_seconds = take(s, ':');
	if (has_seconds)
		sec = digits(s, 2);
	if (sec < 0 || sec > 60)
		return -EINVAL;
	if (has_seconds && (*s)[0] == '.' && isdigit((unsigned char)(*s)[1])) {
		(*s)++;
		*fraction_ns = parse_fraction(s);
	}
	tm->tm_hour = h;
	tm->tm_min = m;
	tm->tm_sec = sec;
	return 0;
}

static int days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month] + (month == 1 && leap);
}

/* YYYY-MM-DD */
static int parse_date(const char **s, struct tm *tm)
{
	int year = digits(s, 4), month, day;

	if (year < 1970 || !take(s, '-'))
		return -EINVAL;
	month = digits(s, 2);
	if (month < 1 || month > 12 || !take(s, '-'))
		return -EINVAL;
	day = digits(s, 2);
	if (day < 1 || day > days_of_month(year, month - 1))
		return -EINVAL;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return 0;
}

/* "Z", "+01:00", "+0100"; *zoned false: there is none. */
static int parse_zone(const char **s, bool *zoned, int *east_s)
{
	bool west = **s == '-';
	int h, m;

	*zoned = true;
	*east_s = 0;
	if (take(s, 'Z') || take(s, 'z'))
		return 0;
	*zoned = **s == '+' || west;
	if (!*zoned)
		return 0;
	(*s)++;
	h = digits(s, 2);
	if (h < 0 || h > 23)
		return -EINVAL;
	take(s, ':');
	m = digits(s, 2);
	if (m < 0 || m > 59)
		return -EINVAL;
	*east_s = (h * 60 + m) * (west ? -60 : 60);
	return 0;
}

static int from_seconds(int64_t seconds, int64_t fraction_ns, int64_t *ns)
{
	if (seconds < 0 || seconds >= INT64_MAX / (int64_t)NS_PER_S)
		return -EINVAL;
	*ns = seconds * (int64_t)NS_PER_S + fraction_ns;
	return 0;
}

/* A date, and what may follow it. */
static int parse_full(const char *s, int64_t *ns)
{
	struct tm tm = {.tm_isdst = -1};
	bool zoned = false;
	int64_t fraction_ns = 0;
	int east_s = 0;

	if (parse_date(&s, &tm))
		return -EINVAL;
	if (take(&s, 'T') || take(&s, 't') || take(&s, ' ')) {
		if (parse_clock(&s, &tm, &fraction_ns) || parse_zone(&s, &zoned, &east_s))
			return -EINVAL;
	}
	if (*s)
		return -EINVAL;
	return from_seconds(zoned ? timegm(&tm) - east_s : mktime(&tm), fraction_ns, ns);
}

/* A time of a day that is so many days before today. */
static int parse_day(const char *s, int days_ago, int64_t now_ns, int64_t *ns)
{
	time_t now = (time_t)(now_ns / (int64_t)NS_PER_S);
	int64_t fraction_ns = 0;
	struct tm tm;

	localtime_r(&now, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	if (*s && parse_clock(&s, &tm, &fraction_ns))
		return -EINVAL;
	if (*s)
		return -EINVAL;
	tm.tm_mday -= days_ago;
	tm.tm_isdst = -1;
	return from_seconds(mktime(&tm), fraction_ns, ns);
}

/* "1h30m", "1w": each number with its unit, since a bare one could be of anything. */
static int parse_ago(const char *s, uint64_t *ns)
{
	uint64_t v, sum = 0;

	do {
		size_t number = strspn(s, "0123456789."), unit = strspn(s + number, UNIT_LETTERS);
		bool weeks = unit == 1 && s[number] == 'w';
		char part[48];

		if (!unit || number + unit >= sizeof(part))
			return -EINVAL;
		memcpy(part, s, number + unit);
		part[number + unit] = '\0';
		if (weeks)
			part[number] = 'd';
		if (text_parse_duration_ns(part, &v) ||
		    __builtin_mul_overflow(v, weeks ? 7u : 1u, &v) ||
		    __builtin_add_overflow(sum, v, &sum))
			return -EINVAL;
		s += number + unit;
	} while (*s);
	*ns = sum;
	return 0;
}

/* "today" or "yesterday", alone or before a time. */
static bool is_day(const char *text, const char *day, const char **rest)
{
	size_t n = strlen(day);

	if (strncmp(text, day, n) != 0 || (text[n] && text[n] != ' '))
		return false;
	*rest = text + n + (text[n] == ' ');
	/* "today " is a slip. */
	return !text[n] || **rest;
}

int when_parse(const char *text, int64_t now_ns, int64_t *ns)
{
	const char *rest;
	uint64_t v;

	if (!strcmp(text, "now")) {
		*ns = now_ns;
		return 0;
	}
	if (text[0] == '@')
		return text_parse_u64(text + 1, INT64_MAX, &v) ? -EINVAL
							       : from_seconds((int64_t)v, 0, ns);
	if (is_day(text, "today", &rest))
		return parse_day(rest, 0, now_ns, ns);
	if (is_day(text, "yesterday", &rest))
		return parse_day(rest, 1, now_ns, ns);
	if (strlen(text) >= 4 && (text[1] == ':' || text[2] == ':'))
		return parse_day(text, 0, now_ns, ns);
	if (strlen(text) >= 10 && text[4] == '-')
		return parse_full(text, ns);
	if (parse_ago(text, &v) || v > (uint64_t)now_ns)
		return -EINVAL;
	*ns = now_ns - (int64_t)v;
	return 0;
}
