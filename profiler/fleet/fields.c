// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/fields.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_of_kind(const struct ch_column *c, enum field_kind kind)
{
	if (c->is_array != (kind == FIELD_NUMBERS))
		return false;
	return (c->type == CH_STRING) == (kind == FIELD_TEXT);
}

int fields_find(const struct ch_column **out, const struct ch_block *b, const struct field *fields,
		struct why *why)
{
	for (size_t i = 0; fields[i].name; i++) {
		size_t at = 0;

		while (at < b->columns.len &&
		       (strcmp(b->columns.data[at].name, fields[i].name) != 0 ||
			!is_of_kind(&b->columns.data[at], fields[i].kind)))
			at++;
		if (at == b->columns.len)
			return why_say(why, -EBADMSG,
				       "the answer has no column %s as kiln's tables give it",
				       fields[i].name);
		out[i] = &b->columns.data[at];
	}
	return 0;
}
