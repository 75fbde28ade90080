/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile summed up into rows: time spent in each itself (self), and with everything that it
 * called (total). A function that is on a stack several times counts once for total.
 */
#ifndef KILN_PROFILE_TABLE_H
#define KILN_PROFILE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/table_by.h"
#include "profiler/profile/totals.h"

#define TABLE_SORT_WORDS "self|total"
enum table_sort { TABLE_SORT_SELF, TABLE_SORT_TOTAL };

enum table_relation {
	TABLE_ALL,
	TABLE_CALLERS, /* rows call `of` directly; self: `of` was the leaf */
	TABLE_CALLEES, /* `of` calls the rows directly; self: the row was the leaf */
};
/* Rows in MAPPING_KILN for the ends of a stack. */
#define TABLE_NO_CALLER "[no caller]" /* `of` is the root of the stack */
#define TABLE_ITSELF	"[itself]"    /* `of` is the leaf of the stack */

struct table_opts {
	size_t value; /* sample type index */
	enum table_by by;
	enum table_sort sort;
	enum table_relation relation; /* for tables by function or line only */
	const char *of;		      /* exact function name */
	const char *label;	      /* of TABLE_LABEL: the key, see label_keys.h */
	bool with_lost;		      /* have rows for lost samples, as for functions */
	/* Sum self up without signs, too: in a difference of both sides together. Rows may have none of either. */
	bool with_both;
};

struct table_row {
	uint32_t name, module; /* strings of the table; module is "" but for functions */
	uint32_t caller;       /* best-known caller, "" if there is none; see table.c */
	int64_t self, total;   /* saturating */
	int64_t both_self;     /* see with_both */
	enum frame_kind kind;
};

struct table {
	struct strtab *strings;
	VEC(struct table_row) rows;
	int64_t total;	    /* of the whole profile */
	int64_t gross;	    /* profile_gross(): what shares are of */
	uint64_t n_samples; /* profile_samples() */
	bool is_difference; /* of two profiles: rows are what changed, the largest changes first */
	int64_t of_self, of_total; /* of the function that callers or callees are of */
	size_t n_cut;		   /* stacks that were cut because they were too deep */
};

int table_build(struct table **out, const struct profile *p, const struct table_opts *o);
void table_free(struct table *t);
DEFINE_CLEANUP(table, table_free)
static inline const char *table_text(const struct table *t, uint32_t id)
{
	return strtab_get(t->strings, id);
}

/* What stands above the rows' names: of a label its key. */
static inline const char *table_title(const struct table_opts *o)
{
	return o->by == TABLE_LABEL && o->label ? o->label : table_by_title(o->by);
}

#endif
