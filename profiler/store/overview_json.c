// SPDX-License-Identifier: GPL-2.0-or-later
/* An overview as JSON. */
#include <stdio.h>
#include <string.h>

#include "profiler/base/json.h"
#include "profiler/store/overview.h"

void overview_word(enum overview_by by, char *out, size_t size)
{
	const char *word = OVERVIEW_BY_WORDS;

	*out = '\0';
	if (by == OVERVIEW_LABEL)
		return;
	for (int i = 0; i < (int)by; i++)
		word = strchr(word, '|') + 1;
	snprintf(out, size, "%.*s", (int)strcspn(word, "|"), word);
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
	char word[16];

	overview_word(o->by, word, sizeof(word));
	json_open(&j, '{');
	json_key_text(&j, "by", o->label ?: word);
	if (o->where)
		json_key_text(&j, "where", o->where);
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
