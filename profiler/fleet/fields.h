/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of an answer that a question wants: by name, and of a kind. */
#ifndef KILN_FLEET_FIELDS_H
#define KILN_FLEET_FIELDS_H

#include "profiler/base/why.h"
#include "profiler/clickhouse/ch_native.h"

enum field_kind { FIELD_NUMBER, FIELD_TEXT, FIELD_NUMBERS /* an array */ };

struct field {
	const char *name; /* NULL ends a list */
	enum field_kind kind;
};

/* One for each field. 0, or -EBADMSG with a sentence: the block has no such column. */
int fields_find(const struct ch_column **out, const struct ch_block *b, const struct field *fields,
		struct why *why);

#endif
