/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows into a segment's tables (profiler/store/schema.h), by statements prepared once. */
#ifndef KILN_STORE_ROWS_H
#define KILN_STORE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "profiler/store/chunk.h"
#include "profiler/store/dict.h"
#include "profiler/store/pack.h"
#include "profiler/store/schema.h"

struct kind_info;

struct rows {
	sqlite3 *db; /* borrowed */
	struct packer packer;
	sqlite3_stmt *window, *usage, *series, *kind, *dictionary;
};

/* 0 or -errno; to be released either way. */
int rows_init(struct rows *r, sqlite3 *db);
void rows_release(struct rows *r);

/* What a window has in plain columns besides its accounting. */
struct usage {
	uint32_t series;
	int64_t samples, cpu_ns;
};

struct usage_list {
	VEC(struct usage) v; /* by series */
	int64_t samples, cpu_ns;
	int64_t period; /* ns a sample stands for */
};

/* Sums of a window by series. 0 or -ENOMEM. */
int usage_sum(struct usage_list *out, const struct dict *d, const struct dict_window *w,
	      const struct kind_info *kind);

/* Each 0 or -errno. */
int rows_add_window(struct rows *r, const struct window_row *w, const void *counts, size_t len);
int rows_add_usage(struct rows *r, int64_t window, const struct usage_list *usage);
int rows_add_series(struct rows *r, uint32_t id, const char *text);
int rows_add_kind(struct rows *r, int64_t id, const char *types, int64_t period, const void *header,
		  size_t len);
/* All of a section from a number on, in pieces; order as for chunk_encode(). */
int rows_add_section(struct rows *r, const struct dict *d, const struct dict_order *order,
		     enum section s, uint32_t first, int level);

#endif
