// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/config_values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/label_regex.h"
#include "profiler/base/quantity.h"
#include "profiler/base/suggest.h"
#include "profiler/base/text.h"
#include "profiler/base/why.h"
#include "profiler/upload/target.h"

#define LABEL_MAX 64
#define HOST_MAX  253

/* --- amounts ----------------------------------------------------------------------------------- */

/* How an amount is read, printed and spoken of. */
struct amount {
	int (*parse)(const char *text, uint64_t *v);
	const char *(*format)(uint64_t v, char *out, size_t size);
	const char *what, *example;
};

static int parse_count(const char *text, uint64_t *v)
{
	return text_parse_u64(text, INT64_MAX, v);
}

static const char *format_count(uint64_t v, char *out, size_t size)
{
	snprintf(out, size, "%" PRIu64, v);
	return out;
}

static const struct amount amounts[] = {
	[TYPE_COUNT] = {parse_count, format_count, "a whole number", "19"},
	[TYPE_TIME] = {text_parse_duration_ns, quantity_format_duration, "a time", "10s"},
	[TYPE_SIZE] = {quantity_parse_size, quantity_format_size, "a size", "64MiB"},
	[TYPE_PERCENT] = {quantity_parse_percent, quantity_format_percent, "a share", "1%"},
};

static int set_amount(const struct config_key *k, uint64_t *out, const char *text, struct buf *why)
{
	const struct amount *a = &amounts[k->type];
	char least[32], most[32];
	uint64_t v;
	int err = a->parse(text, &v);

	if (!err && v >= k->least && v <= k->most) {
		*out = v;
		return 0;
	}
	a->format(k->least, least, sizeof(least));
	if (err == -EINVAL)
		buf_printf(why, "\"%s\" is not %s such as %s", text, a->what, a->example);
	else if (k->most == INT64_MAX)
		buf_printf(why, "\"%s\" is out of range: %s or more", text, least);
	else
		buf_printf(why, "\"%s\" is out of range: from %s to %s", text, least,
			   a->format(k->most, most, sizeof(most)));
	return -EINVAL;
}

/* --- words ------------------------------------------------------------------------------------- */

static void say_words(const char *text, const char *words, struct buf *why)
{
	char word[32], best[32] = "";
	size_t distance = SIZE_MAX;

	for (const char *w = words; *w; w += strcspn(w, "|"), w += *w == '|') {
		struct suggest near = {.typed = text};

		snprintf(word, sizeof(word), "%.*s", (int)strcspn(w, "|"), w);
		suggest_consider(&near, word);
		if (near.best && near.distance < distance) {
			snprintf(best, sizeof(best), "%s", word);
			distance = near.distance;
		}
	}
	buf_printf(why, "\"%.80s\" is none of %s", text, words);
	if (best[0])
		buf_printf(why, " (did you mean \"%s\"?)", best);
}

static int set_word(int *out, const char *text, const char *words, struct buf *why)
{
	size_t len = strlen(text);
	int i = 0;

	for (const char *w = words; *w; w += strcspn(w, "|"), w += *w == '|', i++) {
		if (strcspn(w, "|") == len && !memcmp(w, text, len)) {
			*out = i;
			return 0;
		}
	}
	say_words(text, words, why);
	return -EINVAL;
}

static int set_switch(bool *out, const char *text, struct buf *why)
{
	int word, err = set_word(&word, text, "false|true", why);

	if (!err)
		*out = word;
	return err;
}

static const char *word_of(const char *words, int i, char *out, size_t size)
{
	const char *w = words;

	for (; i > 0; i--)
		w += strcspn(w, "|") + 1;
	snprintf(out, size, "%.*s", (int)strcspn(w, "|"), w);
	return out;
}

/* --- texts ------------------------------------------------------------------------------------- */

int config_check_text(const char *text, uint64_t least, uint64_t most, struct buf *why)
{
	size_t len = strlen(text);

	if (len > most)
		buf_printf(why, "%zu bytes long: at most %" PRIu64, len, most);
	else if (len < least)
		buf_str(why, "a text is missing");
	else if (!text_is_clean(text, len))
		buf_str(why, "holds control characters");
	else
		return 0;
	return -EINVAL;
}

static int check_file(const char *text, struct buf *why)
{
	int err = config_check_text(text, 1, PATH_MAX - 1, why);

	if (err || text[0] == '/')
		return err;
	buf_printf(why, "\"%s\" is not an absolute path", text);
	return -EINVAL;
}

int config_check_label(const char *name, struct buf *why)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t len = strlen(name);

	if (len && len <= LABEL_MAX && strchr(letters, name[0]) &&
	    name[strcspn(name, letters)] == name[0]) {
		size_t good = 0;

		while (name[good] &&
		       (strchr(letters, name[good]) || strchr("0123456789.", name[good])))
			good++;
		if (good == len)
			return 0;
	}
	buf_printf(why, "\"%.80s\" is no name of a label: letters, digits, _ and ., at most %d",
		   name, LABEL_MAX);
	return -EINVAL;
}

int config_check_host(const char *text, struct buf *why)
{
	size_t len = strlen(text);
	bool good = len && len <= HOST_MAX;

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)text[i]) || strchr(".-_:[]", text[i]);
	if (!good)
		buf_printf(why, "\"%.80s\" is no name of a host", text);
	return good ? 0 : -EINVAL;
}

/* RFC 9110, 5.1 and 5.5. */
int config_check_header(const char *name, const char *value, struct buf *why)
{
	size_t len = strlen(name);
	bool good = len && len <= LABEL_MAX;

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)name[i]) || strchr("!#$%&'*+-.^_`|~", name[i]);
	if (!good) {
		buf_printf(why, "\"%.80s\" is no name of a header", name);
		return -EINVAL;
	}
	return config_check_text(value, 0, CONFIG_MAX_TEXT, why);
}

/* --- addresses --------------------------------------------------------------------------------- */

/* Splits "HOST:PORT" and "[HOST]:PORT"; a name is not an address. */
static int split_listen(const char *text, char *host, size_t size, uint64_t *port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon || text_parse_u64(colon + 1, 65535, port))
		return -EINVAL;
	len = (size_t)(colon - text);
	if (text[0] == '[') {
		if (len < 2 || text[len - 1] != ']')
			return -EINVAL;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL;
	}
	if (len >= size)
		return -EINVAL;
	snprintf(host, size, "%.*s", (int)len, text);
	return 0;
}

static int check_listen(const char *text, struct buf *why)
{
	char host[64];
	struct in6_addr addr;
	uint64_t port;

	if (config_listen_is_off(text))
		return 0;
	if (!split_listen(text, host, sizeof(host), &port) &&
	    (!strcmp(host, "localhost") || inet_pton(AF_INET, host, &addr) == 1 ||
	     inet_pton(AF_INET6, host, &addr) == 1))
		return 0;
	buf_printf(why, "\"%s\" is not an address such as 127.0.0.1:7676 or [::1]:7676, or off",
		   text);
	return -EINVAL;
}

bool config_listen_is_off(const char *listen)
{
	return !strcmp(listen, "off");
}

bool config_listen_is_loopback(const char *listen)
{
	struct in6_addr v6;
	struct in_addr v4;
	char host[64];
	uint64_t port;

	if (split_listen(listen, host, sizeof(host), &port))
		return false;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return !strcmp(host, "localhost");
}

static int check_url(const char *text, struct buf *why)
{
	struct why sentence = {""};
	int err = config_check_text(text, 1, CONFIG_MAX_TEXT, why);

	if (err || !upload_url_check(text, &sentence))
		return err;
	buf_str(why, sentence.text);
	return -EINVAL;
}

static int check_string(const struct config_key *k, const char *text, struct buf *why)
{
	const char *wrong;

	switch (k->type) {
	case TYPE_FILE:
		return check_file(text, why);
	case TYPE_LISTEN:
		return check_listen(text, why);
	case TYPE_LABEL:
		return config_check_label(text, why);
	case TYPE_URL:
		return check_url(text, why);
	case TYPE_REGEX:
		if (config_check_text(text, 0, CONFIG_MAX_TEXT, why))
			return -EINVAL;
		if (!label_regex_check(text, &wrong))
			return 0;
		buf_str(why, wrong);
		return -EINVAL;
	default:
		return config_check_text(text, k->least, k->most, why);
	}
}

/* --- all --------------------------------------------------------------------------------------- */

static int set_string(const struct config_key *k, char **out, const char *text, struct buf *why)
{
	int err = check_string(k, text, why);
	char *copy;

	if (err)
		return err;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*out);
	*out = copy;
	return 0;
}

int config_value_set(const struct config_key *k, void *base, const char *text, struct buf *why)
{
	void *member = (char *)base + k->offset;

	switch (k->type) {
	case TYPE_COUNT:
	case TYPE_TIME:
	case TYPE_SIZE:
	case TYPE_PERCENT:
		return set_amount(k, member, text, why);
	case TYPE_SWITCH:
		return set_switch(member, text, why);
	case TYPE_WORD:
		return set_word(member, text, k->words, why);
	default:
		return set_string(k, member, text, why);
	}
}

static bool is_string(const struct config_key *k)
{
	return k->type >= TYPE_TEXT && k->type <= TYPE_URL;
}

void config_value_free(const struct config_key *k, void *base)
{
	if (is_string(k))
		free(*(char **)((char *)base + k->offset));
}

bool config_value_is_set(const struct config_key *k, const void *base)
{
	return !is_string(k) || *(char *const *)((const char *)base + k->offset);
}

/* What YAML would read as something else, or not as one scalar, goes into quotes. */
static bool is_safe_plain(const char *text)
{
	static const char *const not_text[] = {"y",  "n",   "yes",  "no",  "true", "false",
					       "on", "off", "null", "inf", "nan"};

	if (!isalpha((unsigned char)text[0]) && text[0] != '/')
		return false;
	for (size_t i = 0; i < sizeof(not_text) / sizeof(*not_text); i++)
		if (!strcasecmp(text, not_text[i]))
			return false;
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("/._-+", *c))
			return false;
	return true;
}

void config_text_print(struct buf *out, const char *text)
{
	if (is_safe_plain(text)) {
		buf_str(out, text);
		return;
	}
	buf_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_char(out, '\\');
		buf_char(out, *text);
	}
	buf_char(out, '"');
}

/* Values of a query may be tokens; placeholders of a template are none. */
static void print_url(struct buf *out, const char *url)
{
	const char *p = url + strcspn(url, "?");
	struct buf b = {0};

	buf_add(&b, url, (size_t)(p - url));
	while (*p) {
		const char *name = p + 1, *end = name + strcspn(name, "&");
		const char *value = memchr(name, '=', (size_t)(end - name));

		value = value ? value + 1 : name;
		buf_add(&b, p, (size_t)(value - p));
		if (*value == '{' && end[-1] == '}')
			buf_add(&b, value, (size_t)(end - value));
		else if (value < end)
			buf_str(&b, "redacted");
		p = end;
	}
	config_text_print(out, buf_cstr(&b));
	buf_release(&b);
}

void config_value_print(struct buf *out, const struct config_key *k, const void *base)
{
	const void *member = (const char *)base + k->offset;
	char text[64];

	switch (k->type) {
	case TYPE_COUNT:
	case TYPE_TIME:
	case TYPE_SIZE:
	case TYPE_PERCENT:
		buf_str(out,
			amounts[k->type].format(*(const uint64_t *)member, text, sizeof(text)));
		break;
	case TYPE_SWITCH:
		buf_str(out, *(const bool *)member ? "true" : "false");
		break;
	case TYPE_WORD:
		buf_str(out, word_of(k->words, *(const int *)member, text, sizeof(text)));
		break;
	case TYPE_URL:
		print_url(out, *(char *const *)member);
		break;
	default:
		config_text_print(out, k->secret ? CONFIG_REDACTED : *(char *const *)member);
	}
}
