/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile as rows of a fleet's tables (profiler/clickhouse/ch_schema.h), and these as blocks. */
#ifndef KILN_UPLOAD_CLICKHOUSE_ROWS_H
#define KILN_UPLOAD_CLICKHOUSE_ROWS_H

#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/vec.h"
#include "profiler/upload/hash_memo.h"

struct profile;

/* A server stores a block as a whole or not at all up to 1,048,576 rows. */
#define CLICKHOUSE_MAX_ROWS 1000000

struct clickhouse_sample {
	uint32_t service, type, namespace, pod, unit, comm; /* texts */
	uint64_t hash;
	int64_t value;
};

struct clickhouse_stack {
	uint32_t service; /* text */
	uint64_t hash;
	uint32_t first, n; /* in funcs and lines */
};

struct clickhouse_function {
	uint64_t id;
	const char *func, *module, *file, *build; /* of the profile, or texts */
};

/* All-zero: empty. */
struct clickhouse_rows {
	const struct profile *p; /* borrowed */
	struct strtab *texts;
	VEC(struct clickhouse_sample) samples;	   /* sorted */
	VEC(struct clickhouse_stack) stacks;	   /* each (service, hash) once */
	VEC(struct clickhouse_function) functions; /* each id once */
	VEC(uint64_t) funcs;
	VEC(uint32_t) lines;
	int64_t value;	   /* the sum of samples */
	uint64_t hash_sum; /* of samples, modulo 2^64 */
};

/* memo: of the profiles before. 0, -EFBIG (more than CLICKHOUSE_MAX_ROWS samples), or -ENOMEM. Release it either
 * way. */
int clickhouse_rows_build(struct clickhouse_rows *out, const struct profile *p,
			  struct hash_memo *memo);
void clickhouse_rows_release(struct clickhouse_rows *r);
/* Makes the rows of items of this id unlike those of others: one becomes two of the same sum, which readers add up
 * again. For servers that take equal blocks for one. 0 or -ENOMEM. */
int clickhouse_rows_mark(struct clickhouse_rows *r, uint64_t id);

/* What all rows of an item have in common. */
struct clickhouse_when {
	const char *host;
	uint32_t time_s;
	uint16_t day;
};

/* Blocks with the columns of ch_table(); which: indices into r's arrays. Errors are the buffer's. */
void clickhouse_put_samples(struct buf *out, const struct clickhouse_rows *r,
			    const struct clickhouse_when *when);
void clickhouse_put_stacks(struct buf *out, const struct clickhouse_rows *r,
			   const struct clickhouse_when *when, const uint32_t *which, size_t n);
void clickhouse_put_functions(struct buf *out, const struct clickhouse_rows *r,
			      const struct clickhouse_when *when, const uint32_t *which, size_t n);
/* Of one row: the item's quality, and the sums of r. */
void clickhouse_put_window(struct buf *out, const struct clickhouse_rows *r,
			   const struct clickhouse_when *when, uint64_t id);

#endif
