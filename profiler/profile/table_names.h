/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of a table's rows. Frames and samples with equal keys share a row. For table.c and calltree.c. */
#ifndef KILN_PROFILE_TABLE_NAMES_H
#define KILN_PROFILE_TABLE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/profile/processes.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/table_by.h"

/* String ids; equal keys are one row. A row is shown as the name followed by line_of. */
struct row_key {
	uint32_t name, module;
	uint32_t line_of; /* " (file.c:12)" or "+0x1290" in a table by line, else "" */
};

/* All zero except the first four fields. Strings are borrowed. */
struct row_namer {
	const struct profile *p;
	struct strtab *strings;
	enum table_by by;
	const char *label;	    /* of TABLE_LABEL */
	struct processes processes; /* loaded when they are asked for */
	struct buf text;	    /* scratch */
};

void row_namer_release(struct row_namer *n);

/* True if a line of a location (NULL: it has none) names a function. */
bool row_has_function(const struct profile *p, uint32_t location, const struct profile_line *line);

/* 0 or -ENOMEM. */
int row_key_of_frame(struct row_namer *n, uint32_t location, const struct profile_line *line,
		     struct row_key *key);
int row_key_of_labelset(struct row_namer *n, uint32_t labelset, struct row_key *key);
/* Text of a finished row: its name and line. 0 or -ENOMEM. */
int row_key_text(struct row_namer *n, const struct row_key *key, uint32_t *text);

#endif
