// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/where.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/label_regex.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"
#include "profiler/base/why.h"

#define MAX_CONDITIONS	64
#define MAX_REGEX_BYTES 1024

enum op { OP_IS, OP_IS_NOT, OP_LIKE, OP_NOT_LIKE };

struct condition {
	char *key, *value;
	enum op op;
	regex_t regex; /* of OP_LIKE and OP_NOT_LIKE */
	bool has_regex;
};

struct where {
	VEC(struct condition) v;
};

static void condition_release(struct condition *c)
{
	free(c->key);
	free(c->value);
	if (c->has_regex)
		regfree(&c->regex);
}

void where_free(struct where *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->v.len; i++)
		condition_release(&w->v.data[i]);
	vec_release(&w->v);
	free(w);
}

DEFINE_CLEANUP(where, where_free)

/* --- parsing -------------------------------------------------------------------------------------- */

static bool is_key_char(char c)
{
	return isalnum((unsigned char)c) || strchr("_.-/", c) || (unsigned char)c >= 0x80;
}

static int take_key(const char **at, struct condition *c, struct why *why)
{
	const char *s = *at;
	size_t n = 0;

	while (s[n] && is_key_char(s[n]))
		n++;
	if (!n)
		return why_say(why, -EINVAL,
			       "a label's name is missing at \"%.40s\": write LABEL=VALUE", s);
	c->key = !strncmp(s, "tid", n) && n == 3 ? strdup(LABEL_TID) : strndup(s, n);
	*at = s + n;
	return c->key ? 0 : -ENOMEM;
}

static int take_op(const char **at, struct condition *c, struct why *why)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {{"=~", OP_LIKE}, {"!~", OP_NOT_LIKE}, {"!=", OP_IS_NOT}, {"=", OP_IS}};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (!text_has_prefix(*at, ops[i].text))
			continue;
		c->op = ops[i].op;
		*at += strlen(ops[i].text);
		return 0;
	}
	return why_say(why, -EINVAL, "after \"%.60s\" one of = != =~ !~ is missing", c->key);
}

static int take_quoted(const char **at, struct buf *b, struct why *why)
{
	const char *s = *at + 1;

	for (; *s && *s != '"'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		buf_char(b, *s);
	}
	if (*s != '"')
		return why_say(why, -EINVAL, "a closing \" is missing");
	*at = s + 1;
	return 0;
}

static int take_value(const char **at, struct condition *c, struct why *why)
{
	struct buf b = {0};
	int err = 0;

	if (**at == '"') {
		err = take_quoted(at, &b, why);
	} else {
		size_t n = strcspn(*at, ",");

		buf_add(&b, *at, n);
		*at += n;
	}
	c->value = err ? NULL : buf_take(&b);
	buf_release(&b);
	if (!err && !c->value)
		return -ENOMEM;
	if (!err && **at && **at != ',')
		return why_say(why, -EINVAL, "after the value of \"%.60s\" a comma is missing",
			       c->key);
	return err;
}

static int compile(struct condition *c, struct why *why)
{
	const char *wrong = "";
	int err;

	if (strlen(c->value) > MAX_REGEX_BYTES)
		return why_say(why, -EINVAL, "the regular expression is longer than %d bytes",
			       MAX_REGEX_BYTES);
	err = label_regex_compile(&c->regex, c->value, &wrong);
	c->has_regex = !err;
	return err == -EINVAL ? why_say(why, err, "\"%.60s\": %s", c->value, wrong) : err;
}

static bool is_number_key(const char *key)
{
	return !strcmp(key, LABEL_PID) || !strcmp(key, LABEL_TID);
}

/* Ids compare as text, so that 0042 becomes 42. */
static int check_number(struct condition *c, struct why *why)
{
	uint64_t n;

	if (!*c->value)
		return 0;
	if (text_parse_u64(c->value, INT64_MAX, &n))
		return why_say(why, -EINVAL, "%s is a number, \"%.60s\" is none", c->key, c->value);
	snprintf(c->value, strlen(c->value) + 1, "%" PRIu64, n);
	return 0;
}

static int take_condition(const char **at, struct condition *c, struct why *why)
{
	int err = take_key(at, c, why) ?: take_op(at, c, why) ?: take_value(at, c, why);

	if (err)
		return err;
	if (c->op == OP_LIKE || c->op == OP_NOT_LIKE)
		return compile(c, why);
	return is_number_key(c->key) ? check_number(c, why) : 0;
}

int where_parse(struct where **out, const char *text, struct why *why)
{
	_cleanup_(where_freep) struct where *w = calloc(1, sizeof(*w));
	int err = w ? 0 : -ENOMEM;

	while (!err) {
		struct condition c = {0};

		err = take_condition(&text, &c, why);
		if (!err && w->v.len == MAX_CONDITIONS)
			err = why_say(why, -EINVAL, "more than %d conditions", MAX_CONDITIONS);
		err = err ?: vec_push(&w->v, c);
		if (err)
			condition_release(&c);
		if (err || !*text)
			break;
		text++; /* the comma */
	}
	if (err == -ENOMEM)
		return why_say(why, err, "out of memory");
	if (!err)
		*out = steal_ptr(w);
	return err;
}

int where_parse_any(struct where **out, const char *text, struct why *why)
{
	*out = NULL;
	return text && *text ? where_parse(out, text, why) : 0;
}

size_t where_count(const struct where *w)
{
	return w ? w->v.len : 0;
}

void where_get(const struct where *w, size_t i, struct where_condition *out)
{
	static const char *const ops[] = {
		[OP_IS] = "=", [OP_IS_NOT] = "!=", [OP_LIKE] = "=~", [OP_NOT_LIKE] = "!~"};
	const struct condition *c = &w->v.data[i];

	*out = (struct where_condition){c->key, ops[c->op], c->value};
}

const char *where_key(const struct where *w, size_t i)
{
	return i < w->v.len ? w->v.data[i].key : NULL;
}

/* --- matching ------------------------------------------------------------------------------------- */

static bool is_like(const struct condition *c, const char *value)
{
	if (c->has_regex)
		return !regexec(&c->regex, value, 0, NULL, 0);
	return !strcmp(c->value, value);
}

static bool is_negative(const struct condition *c)
{
	return c->op == OP_IS_NOT || c->op == OP_NOT_LIKE;
}

/* Whether a label of the condition's key is like its value; *any: there is one of that key. */
static bool find_like(const struct condition *c, const struct where_label *labels, size_t n,
		      bool *any)
{
	*any = false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(labels[i].key, c->key))
			continue;
		*any = true;
		if (is_like(c, labels[i].value))
			return true;
	}
	return false;
}

/* A label that is not there is "". */
static bool holds(const struct condition *c, const struct where_label *labels, size_t n)
{
	bool any, found = find_like(c, labels, n, &any);

	if (!any)
		found = is_like(c, "");
	return found != is_negative(c);
}

bool where_matches(const struct where *w, const struct where_label *labels, size_t n)
{
	for (size_t i = 0; i < w->v.len; i++)
		if (!holds(&w->v.data[i], labels, n))
			return false;
	return true;
}

static bool is_open(const char *key, const char *const *open, size_t n_open)
{
	for (size_t i = 0; i < n_open; i++)
		if (!strcmp(key, open[i]))
			return true;
	return false;
}

/* One label that is like it decides, whatever the open ones are. */
static enum where_answer may_hold(const struct condition *c, const struct where_label *labels,
				  size_t n)
{
	bool any;

	if (!find_like(c, labels, n, &any))
		return WHERE_DEPENDS;
	return is_negative(c) ? WHERE_NO : WHERE_YES;
}

enum where_answer where_may_match(const struct where *w, const struct where_label *labels, size_t n,
				  const char *const *open, size_t n_open)
{
	enum where_answer answer = WHERE_YES, one;

	for (size_t i = 0; i < w->v.len; i++) {
		const struct condition *c = &w->v.data[i];

		if (is_open(c->key, open, n_open))
			one = may_hold(c, labels, n);
		else
			one = holds(c, labels, n) ? WHERE_YES : WHERE_NO;
		if (one == WHERE_NO)
			return WHERE_NO;
		answer = one == WHERE_DEPENDS ? WHERE_DEPENDS : answer;
	}
	return answer;
}
