// SPDX-License-Identifier: GPL-2.0-or-later
/* Conditions in the words of Pyroscope and Parca, which are Prometheus': {a="b",c=~"d.*"}. */
#include <errno.h>
#include <string.h>

#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/remote/fleet_priv.h"
#include "profiler/upload/series.h"

/* A string of Go (go.dev/ref/spec, "String literals"). Nothing in it ends it. */
static int add_quoted(struct buf *b, const char *s)
{
	if (text_utf8_run(s, strlen(s)) != strlen(s))
		return -EINVAL;
	buf_char(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(b, '\\');
		if (*s == '\n')
			buf_str(b, "\\n");
		else if (*s == '\t')
			buf_str(b, "\\t");
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			return -EINVAL;
		else
			buf_char(b, *s);
	}
	buf_char(b, '"');
	return 0;
}

static bool is_of_samples(const char *key)
{
	return !strcmp(key, LABEL_PID) || !strcmp(key, LABEL_TID);
}

static int add_name(const struct fleet *f, struct buf *b, const char *option, const char *key,
		    struct why *why)
{
	struct buf name = {0};

	if (is_of_samples(key))
		return fleet_fail(f, -EINVAL, why,
				  "%s: it keeps no %s: what it was sent has labels such as "
				  "service_name, host, unit, pod and comm",
				  option, key);
	series_add_name(&name, key);
	if (strcmp(buf_cstr(&name), key) != 0)
		log_info("%s: the label %s is called %s there", f->t->shown, key, buf_cstr(&name));
	buf_str(b, buf_cstr(&name));
	buf_release(&name);
	return b->err;
}

int fleet_series_label(const struct fleet *f, const struct fleet_rows *rows, struct buf *out,
		       struct why *why)
{
	const char *label = fleet_rows_label(rows);

	return label ? add_name(f, out, "--by", label, why) : 0;
}

static int add_condition(const struct fleet *f, struct buf *b, const struct where_condition *c,
			 struct why *why)
{
	int err = add_name(f, b, "--where", c->key, why);

	if (err)
		return err;
	buf_str(b, c->op);
	err = add_quoted(b, c->value);
	if (err == -EINVAL)
		return fleet_fail(f, err, why, "--where: the value of %.60s is no text", c->key);
	return err;
}

/* --- parts ---------------------------------------------------------------------------------------- */

#define MAX_APART 4

/* Keys whose conditions hold where the label is missing, and elsewhere too. */
struct apart {
	const char *keys[MAX_APART];
	size_t n;
};

static size_t find_apart(const struct apart *a, const char *key)
{
	size_t i = 0;

	while (i < a->n && strcmp(a->keys[i], key) != 0)
		i++;
	return i;
}

/* Whether labels without this one may fulfil all conditions. */
static bool may_be_missing(const struct where *w, const char *key)
{
	VEC(const char *) others = {0};
	enum where_answer answer = WHERE_DEPENDS;
	int err = 0;

	for (size_t i = 0; i < where_count(w) && !err; i++)
		if (strcmp(where_key(w, i), key) != 0)
			err = vec_push(&others, where_key(w, i));
	if (!err)
		answer = where_may_match(w, NULL, 0, others.data, others.len);
	vec_release(&others);
	return answer != WHERE_NO;
}

static int find_keys(const struct fleet *f, struct apart *a, struct why *why)
{
	for (size_t i = 0; i < where_count(f->where); i++) {
		struct where_condition c;

		where_get(f->where, i, &c);
		if ((!strcmp(c.op, "=") && !*c.value) || find_apart(a, c.key) < a->n ||
		    !may_be_missing(f->where, c.key))
			continue;
		if (a->n == MAX_APART)
			return fleet_fail(f, -EINVAL, why,
					  "--where: at most %d labels that may be missing, as with "
					  "!= and !~",
					  MAX_APART);
		a->keys[a->n++] = c.key;
	}
	return 0;
}

int fleet_selector_parts(const struct fleet *f, unsigned *n, struct why *why)
{
	struct apart a = {0};
	int err = find_keys(f, &a, why);

	*n = 1u << a.n;
	return err;
}

int fleet_selector_part(const struct fleet *f, unsigned part, struct buf *out, struct why *why)
{
	struct apart a = {0};
	int err = find_keys(f, &a, why);

	buf_char(out, '{');
	for (size_t i = 0; i < where_count(f->where) && !err; i++) {
		struct where_condition c;
		size_t at;

		where_get(f->where, i, &c);
		at = find_apart(&a, c.key);
		if (at < a.n && part >> at & 1)
			continue;
		err = add_condition(f, out, &c, why);
		buf_char(out, ',');
	}
	for (size_t i = 0; i < a.n && !err; i++) {
		err = add_name(f, out, "--where", a.keys[i], why);
		buf_str(out, part >> i & 1 ? "=\"\"," : "!=\"\",");
	}
	if (out->len > 1)
		out->len--; /* the last comma */
	buf_char(out, '}');
	return err ?: out->err;
}

int fleet_selector(const struct fleet *f, struct buf *out, struct why *why)
{
	buf_char(out, '{');
	for (size_t i = 0; i < where_count(f->where); i++) {
		struct where_condition c;
		int err;

		where_get(f->where, i, &c);
		if (i)
			buf_char(out, ',');
		err = add_condition(f, out, &c, why);
		if (err)
			return err;
	}
	buf_char(out, '}');
	return out->err;
}
