// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/net/net_answer.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/text.h"

#define MAX_VALUE	2048 /* of a header that is looked at; the rest is cut off */
#define MAX_RETRY_S	(365 * 86400)
#define MAX_GRPC_STATUS 999
#define MAX_CODE	INT_MAX /* of ClickHouse's exceptions */

void net_answer_init(struct net_answer *a)
{
	*a = (struct net_answer){.retry_after_s = -1, .grpc_status = -1};
}

void net_answer_release(struct net_answer *a)
{
	buf_release(&a->body);
}

/* Clean text, cut between characters. */
static void copy_clean(char *out, size_t size, const char *text, size_t len)
{
	struct buf clean = {0};
	size_t n;

	text_add_clean(&clean, text, len);
	n = text_utf8_run(buf_cstr(&clean), clean.len < size ? clean.len : size - 1);
	memcpy(out, buf_cstr(&clean), n);
	out[n] = '\0';
	buf_release(&clean);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; what is no escape stays as it is. */
static size_t percent_decode(char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high = s[i] == '%' && i + 2 < len ? hex_digit(s[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

		if (low < 0) {
			s[n++] = s[i];
			continue;
		}
		s[n++] = (char)(high << 4 | low);
		i += 2;
	}
	return n;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT": the one form that servers may send (RFC 9110, 5.6.7). */
static int parse_date(const char *text, int64_t *unix_s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = {0};
	const char *at;
	char month[4];
	int end = 0;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
		   &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 6 ||
	    !end || text[end])
		return -1;
	at = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!at || (at - months) % 3 || tm.tm_year < 1970)
		return -1;
	tm.tm_mon = (int)(at - months) / 3;
	tm.tm_year -= 1900;
	*unix_s = timegm(&tm);
	return 0;
}

static int64_t parse_retry_after(const char *text, int64_t now_s)
{
	uint64_t seconds;
	int64_t at;

	if (!text_parse_u64(text, INT64_MAX, &seconds))
		return seconds < MAX_RETRY_S ? (int64_t)seconds : MAX_RETRY_S;
	if (parse_date(text, &at))
		return -1;
	if (at <= now_s)
		return 0;
	return at - now_s < MAX_RETRY_S ? at - now_s : MAX_RETRY_S;
}

static void take(struct net_answer *a, const char *name, char *value, int64_t now_s)
{
	uint64_t number;

	if (!strcmp(name, "content-type")) {
		copy_clean(a->content_type, sizeof(a->content_type), value, strlen(value));
	} else if (!strcmp(name, "retry-after")) {
		a->retry_after_s = parse_retry_after(value, now_s);
	} else if (!strcmp(name, "grpc-status")) {
		a->grpc_status = text_parse_u64(value, MAX_GRPC_STATUS, &number) ? -1 : (int)number;
	} else if (!strcmp(name, "grpc-message")) {
		size_t len = percent_decode(value, strlen(value));

		copy_clean(a->grpc_message, sizeof(a->grpc_message), value, len);
	} else if (!strcmp(name, "x-clickhouse-exception-code")) {
		a->clickhouse_code = text_parse_u64(value, MAX_CODE, &number) ? 0 : (int)number;
	}
}

/* Those of an interim answer, or of the proxy's, are not the answer's. */
static void begin(struct net_answer *a)
{
	a->content_type[0] = a->grpc_message[0] = '\0';
	a->retry_after_s = -1;
	a->grpc_status = -1;
	a->clickhouse_code = 0;
}

void net_answer_header(struct net_answer *a, const char *line, size_t len, int64_t now_s)
{
	char name[32], value[MAX_VALUE];
	const char *colon = memchr(line, ':', len), *text;
	size_t n = 0;

	if (len >= 5 && !memcmp(line, "HTTP/", 5)) {
		begin(a);
		return;
	}
	if (!colon || (size_t)(colon - line) >= sizeof(name))
		return;
	for (; line + n < colon; n++)
		name[n] = (char)tolower((unsigned char)line[n]);
	name[n] = '\0';
	text = colon + 1;
	n = len - (size_t)(text - line);
	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	while (n && (*text == ' ' || *text == '\t'))
		text++, n--;
	if (memchr(text, '\0', n))
		return;
	if (n >= sizeof(value))
		n = sizeof(value) - 1;
	memcpy(value, text, n);
	value[n] = '\0';
	take(a, name, value, now_s);
}
