// SPDX-License-Identifier: GPL-2.0-or-later
/* Conditions in the words of Pyroscope and Parca, which are Prometheus': {a="b",c=~"d.*"}. */
#include <errno.h>
#include <string.h>

#include "profiler/base/log.h"
#include "profiler/base/text.h"
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
