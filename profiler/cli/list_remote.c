// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/cli/list_remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/json_read.h"
#include "profiler/base/text.h"
#include "profiler/cli/load_remote.h"

#define MAX_ROWS (1u << 20)

static int parse_number(const char *text, int64_t *out)
{
	bool negative = *text == '-';
	uint64_t v;

	if (text_parse_u64(text + negative, INT64_MAX, &v))
		return -EBADMSG;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* What overview_json() prints. Keys of newer versions are left out. */
struct parsing {
	struct overview *o;
	bool has_by;
};

static int get_row(struct overview *o, size_t i, struct overview_row **out)
{
	if (i >= MAX_ROWS)
		return -EBADMSG;
	while (o->rows.len <= i)
		if (vec_push(&o->rows, (struct overview_row){.pid = -1}))
			return -ENOMEM;
	*out = &o->rows.data[i];
	return 0;
}

static int set_text(char **to, const char *text)
{
	free(*to);
	*to = text_clean_dup(text, strlen(text));
	return *to ? 0 : -ENOMEM;
}

static int parse_row(struct overview_row *r, const char *key, const char *text)
{
	if (!strcmp(key, "name"))
		return set_text(&r->name, text);
#define X(name)                                                                                    \
	if (!strcmp(key, #name))                                                                   \
		return parse_number(text, &r->name);
	OVERVIEW_ROW_NUMBERS(X)
#undef X
	return 0;
}

static int parse_number_of(struct parsing *p, const char *key, const char *text)
{
	p->has_by |= !strcmp(key, "by");
	if (!strcmp(key, "where"))
		return set_text(&p->o->where, text);
#define X(name)                                                                                    \
	if (!strcmp(key, #name))                                                                   \
		return parse_number(text, &p->o->name);
	OVERVIEW_NUMBERS(X)
#undef X
	return 0;
}

static int parse(void *ctx, const struct json_step *steps, size_t n, const char *text)
{
	struct parsing *p = ctx;
	struct overview_row *row;
	int err;

	if (n == 1 && steps[0].key)
		return parse_number_of(p, steps[0].key, text);
	if (n != 3 || !steps[0].key || strcmp(steps[0].key, "rows") != 0 || !steps[2].key)
		return 0;
	err = get_row(p->o, steps[1].index, &row);
	return err ?: parse_row(row, steps[2].key, text);
}

static bool is_whole(const struct parsing *p)
{
	for (size_t i = 0; i < p->o->rows.len; i++)
		if (p->o->by != OVERVIEW_TIME && !p->o->rows.data[i].name)
			return false;
	return p->has_by;
}

static int read_answer(const struct load_range *r, const struct buf *answer, struct overview *out)
{
	struct parsing p = {.o = out};
	int err = json_read_all(answer->data, answer->len, parse, parse, &p);

	if (!err && is_whole(&p))
		return EXIT_OK;
	return remote_is_no_kiln(r, err == -ENOMEM ? "too large" : "no list");
}

int list_remote(const struct command *cmd, const struct load_range *r,
		const struct list_remote_opts *opts, struct overview *out)
{
	struct remote_question q;
	struct buf answer = {0};
	char offset[32], by[32];
	int code = remote_question_make(cmd, r, &q);

	*out = (struct overview){.by = opts->by};
	if (opts->label && set_text(&out->label, opts->label))
		return EXIT_ERROR;
	if (code != EXIT_OK)
		return code;
	snprintf(offset, sizeof(offset), "%" PRId64, opts->utc_offset_s);
	overview_word(opts->by, by, sizeof(by));
	remote_question_add(&q, "by", opts->label ?: by);
	if (opts->step)
		remote_question_add(&q, "step", opts->step);
	if (opts->by == OVERVIEW_TIME)
		remote_question_add(&q, "utc_offset", offset);
	code = remote_question_ask(r, "/api/v1/list", &q, &answer);
	if (code == EXIT_OK)
		code = read_answer(r, &answer, out);
	buf_release(&answer);
	return code;
}
