// SPDX-License-Identifier: GPL-2.0-or-later
/* An overview as JSON. */
#include <string.h>

#include "profiler/base/json.h"
#include "profiler/store/overview.h"

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
