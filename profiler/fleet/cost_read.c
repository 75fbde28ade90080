// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/cost_read.h"

#include <errno.h>
#include <string.h>

#include "profiler/fleet/fields.h"

enum { NAME, MODULE, SERVICE, SELF, TOTAL, SELF_BEFORE, TOTAL_BEFORE, WHOLE, N_FIELDS };

static const struct field fields[] = {{"name", FIELD_TEXT},	  {"module", FIELD_TEXT},
				      {"service", FIELD_TEXT},	  {"self_ns", FIELD_NUMBER},
				      {"total_ns", FIELD_NUMBER}, {0}};
static const struct field before[] = {
	{"self_before_ns", FIELD_NUMBER}, {"total_before_ns", FIELD_NUMBER}, {0}};
static const struct field of_whole[] = {{"whole", FIELD_NUMBER}, {0}};

static bool has_before(const struct ch_block *b)
{
	struct why ignored;
	const struct ch_column *c[2];

	return !fields_find(c, b, before, &ignored);
}

static int add_row(struct costs *out, struct cost_values *whole,
		   const struct ch_column *const c[N_FIELDS], size_t row)
{
	struct cost_text text[3];
	struct cost_values v = {.self_ns = ch_int(c[SELF], row), .total_ns = ch_int(c[TOTAL], row)};

	for (int i = NAME; i <= SERVICE; i++)
		text[i].p = ch_text(c[i], row, &text[i].len);
	if (c[SELF_BEFORE]) {
		v.self_before_ns = ch_int(c[SELF_BEFORE], row);
		v.total_before_ns = ch_int(c[TOTAL_BEFORE], row);
	}
	if (!c[WHOLE] || !ch_uint(c[WHOLE], row))
		return costs_add(out, text, &v);
	cost_values_add(whole, &v);
	return 0;
}

static int add_block(struct costs *out, struct cost_values *whole, const struct ch_block *b,
		     struct why *why)
{
	const struct ch_column *c[N_FIELDS] = {0};
	int err = fields_find(c, b, fields, why);

	if (!err && has_before(b))
		err = fields_find(c + SELF_BEFORE, b, before, why);
	if (!err && whole)
		err = fields_find(c + WHOLE, b, of_whole, why);
	for (size_t row = 0; row < b->n_rows && !err; row++)
		err = add_row(out, whole, c, row);
	return err;
}

int cost_read(struct costs *out, struct cost_values *whole, const struct ch_answer *a,
	      struct why *why)
{
	for (size_t i = 0; i < a->blocks.len; i++) {
		int err = add_block(out, whole, &a->blocks.data[i], why);

		if (err == -EFBIG)
			return why_say(why, err,
				       "the answer has more than %u rows: ask for less, as with "
				       "--where service_name=X",
				       COSTS_MAX);
		if (err)
			return err == -EBADMSG ? err : why_say(why, err, "%s", strerror(-err));
	}
	return 0;
}
