// SPDX-License-Identifier: GPL-2.0-or-later
/* An overview as JSON, and back. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/json.h"
#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/store/overview.h"

#define MAX_ROWS (1u << 20) /* of a stranger's */

/* The word of a list, as in "time|process". */
static size_t word_at(const char *words, int index, const char **out)
{
	while (index-- > 0)
		words = strchr(words, '|') + 1;
	*out = words;
	return strcspn(words, "|");
}

static void put_row(struct json *j, const struct overview_row *r, enum overview_by by)
{
	json_line(j);
	json_open(j, '{');
	if (by == OVERVIEW_TIME) {
		json_key_int(j, "begin_ns", r->begin_ns);
		json_key_int(j, "windows", r->windows);
	} else {
		json_key_text(j, "name", r->name);
		if (by == OVERVIEW_PROCESS)
			json_key_int(j, "pid", r->pid);
	}
	json_key_int(j, "samples", r->samples);
	json_key_int(j, "cpu_ns", r->cpu_ns);
	if (by == OVERVIEW_TIME)
		json_key_int(j, "lost", r->lost);
	json_close(j, '}');
}

int overview_json(struct buf *out, const struct overview *o)
{
	struct json j = {.out = out};
	const char *by;
	char word[32];
	size_t len = word_at(OVERVIEW_BY_WORDS, (int)o->by, &by);

	memcpy(word, by, len);
	word[len] = '\0';
	json_open(&j, '{');
	json_key_text(&j, "by", word);
#define X(name) json_key_int(&j, #name, o->name);
	OVERVIEW_NUMBERS(X)
#undef X
	json_key_open(&j, "rows", '[');
	for (size_t i = 0; i < o->rows.len; i++)
		put_row(&j, &o->rows.data[i], o->by);
	json_line(&j);
	json_close(&j, ']');
	json_close(&j, '}');
	buf_char(out, '\n');
	return out->err;
}

/* --- reading -------------------------------------------------------------------------------------- */

struct parsing {
	struct overview *o;
	bool has_by;
};

static int parse_number(const char *text, int64_t *out)
{
	bool negative = *text == '-';
	uint64_t v;

	if (text_parse_u64(text + negative, INT64_MAX, &v))
		return -EBADMSG;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

static int parse_by(struct parsing *p, const char *text)
{
	for (int i = 0; i < OVERVIEW_BYS; i++) {
		const char *word;
		size_t len = word_at(OVERVIEW_BY_WORDS, i, &word);

		if (len == strlen(text) && !memcmp(word, text, len)) {
			p->o->by = (enum overview_by)i;
			p->has_by = true;
			return 0;
		}
	}
	return -EBADMSG;
}

/* Keys of newer versions are left out. */
static int parse_field(struct parsing *p, const char *key, const char *text)
{
	if (!strcmp(key, "by"))
		return parse_by(p, text);
#define X(name)                                                                                    \
	if (!strcmp(key, #name))                                                                   \
		return parse_number(text, &p->o->name);
	OVERVIEW_NUMBERS(X)
#undef X
	return 0;
}

static int parse_row_field(struct overview_row *r, const char *key, const char *text)
{
	if (!strcmp(key, "name")) {
		free(r->name);
		r->name = text_clean_dup(text, strlen(text));
		return r->name ? 0 : -ENOMEM;
	}
#define X(name)                                                                                    \
	if (!strcmp(key, #name))                                                                   \
		return parse_number(text, &r->name);
	OVERVIEW_ROW_NUMBERS(X)
#undef X
	return 0;
}

static int parse_value(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct parsing *p = ctx;
	struct overview *o = p->o;

	if (n == 1 && steps[0].key)
		return parse_field(p, steps[0].key, text);
	if (n != 3 || !steps[0].key || strcmp(steps[0].key, "rows") || !steps[2].key)
		return 0;
	if (steps[1].index >= MAX_ROWS)
		return -EBADMSG;
	while (o->rows.len <= steps[1].index)
		if (vec_push(&o->rows, (struct overview_row){.pid = -1}))
			return -ENOMEM;
	return parse_row_field(&o->rows.data[steps[1].index], steps[2].key, text);
}

int overview_parse(struct overview *out, const char *data, size_t len)
{
	struct overview o = {0};
	struct parsing p = {.o = &o};
	int err = json_read_all(data, len, parse_value, &p);

	if (!err && !p.has_by)
		err = -EBADMSG;
	for (size_t i = 0; i < o.rows.len && !err; i++)
		if (o.by != OVERVIEW_TIME && !o.rows.data[i].name)
			err = -EBADMSG;
	if (err)
		overview_release(&o);
	else
		*out = o;
	return err;
}
