// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/unwind_encode.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "symbolizer/unwind/unwind_blob.h"

/* Rows kept while compiling, 4 bytes each. libLLVM has 0.6 million. */
#define UNWIND_ROWS_MAX (16u << 20)
/* Rows of finished buckets: pc in the bucket << 24 | rule number. */
#define PACKED_PC(row)	 ((row) >> 24)
#define PACKED_RULE(row) ((row)&0xffffffu)

#define RULE_SLOW 0 /* number of UNWIND_CFA_SLOW, which always exists */

struct bucket_row {
	struct unwind_rule rule;
	uint8_t pc;
};

struct run {
	uint32_t start, len; /* in bytes, relative to the first run */
};

struct unwind_encoder {
	uint64_t begin, end; /* multiples of UNWIND_BUCKET */
	bool is_i386, is_partial;
	uint32_t bucket; /* the bucket being filled */
	struct bucket_row fill[UNWIND_BUCKET + 1];
	uint32_t n_fill;
	struct unwind_rule rule; /* the current rule */

	VEC(uint32_t) rows;  /* packed, of all finished buckets */
	VEC(uint8_t) n_rows; /* number of rows of each */
	VEC(struct unwind_rule) rules;
	VEC(uint32_t) uses; /* number of uses of each rule */
	struct htab by_rule;
	uint64_t rows_in, rows_slow, dense, capped;

	/* While finishing. */
	VEC(uint32_t) number; /* new number of each rule: most used first */
	VEC(uint32_t) order;  /* old number of each new one */
	struct buf out_runs;
	uint32_t *index;
	uint32_t rows_off, n_rules;
	VEC(struct run) runs;
	struct htab by_run;
	uint64_t single, wide, shared;
};

static uint64_t rule_bits(struct unwind_rule rule)
{
	uint64_t bits;

	memcpy(&bits, &rule, sizeof(bits));
	return bits;
}

struct rule_key {
	const struct unwind_encoder *e;
	uint64_t bits;
};

static bool rule_eq(const void *ctx, uint32_t id)
{
	const struct rule_key *key = ctx;

	return rule_bits(key->e->rules.data[id]) == key->bits;
}

static int intern_rule(struct unwind_encoder *e, struct unwind_rule rule, uint32_t *id)
{
	const struct rule_key key = {e, rule_bits(rule)};
	uint64_t hash = hash_u64(key.bits);
	int err;

	*id = htab_find(&e->by_rule, hash, rule_eq, &key);
	if (*id != HTAB_NONE)
		return 0;
	if (e->rules.len == UNWIND_RULES_MAX) {
		e->capped++;
		*id = RULE_SLOW;
		return 0;
	}
	*id = (uint32_t)e->rules.len;
	err = vec_push(&e->rules, rule) ?: vec_push(&e->uses, 0);
	return err ?: htab_insert(&e->by_rule, hash, *id);
}

int unwind_encoder_new(struct unwind_encoder **out, uint64_t begin_va, uint64_t end_va)
{
	const struct unwind_rule slow = {.cfa = UNWIND_CFA_SLOW};
	struct unwind_encoder *e = calloc(1, sizeof(*e));
	uint32_t id;

	if (!e)
		return -ENOMEM;
	e->begin = begin_va & ~(uint64_t)(UNWIND_BUCKET - 1);
	e->end = (end_va + UNWIND_BUCKET - 1) & ~(uint64_t)(UNWIND_BUCKET - 1);
	e->n_fill = 1; /* {0, no rule} */
	if (intern_rule(e, slow, &id)) {
		unwind_encoder_free(e);
		return -ENOMEM;
	}
	*out = e;
	return 0;
}

void unwind_encoder_set_i386(struct unwind_encoder *e)
{
	e->is_i386 = true;
}

void unwind_encoder_set_partial(struct unwind_encoder *e)
{
	e->is_partial = true;
}

void unwind_encoder_free(struct unwind_encoder *e)
{
	if (!e)
		return;
	vec_release(&e->rows);
	vec_release(&e->n_rows);
	vec_release(&e->rules);
	vec_release(&e->uses);
	htab_release(&e->by_rule);
	vec_release(&e->number);
	vec_release(&e->order);
	buf_release(&e->out_runs);
	free(e->index);
	vec_release(&e->runs);
	htab_release(&e->by_run);
	free(e);
}

/* +1 or -1 if b equals a after rsp moved by one word, else 0. */
static int push_or_pop(struct unwind_rule a, struct unwind_rule b)
{
	if (a.cfa != UNWIND_CFA_RSP || b.cfa != UNWIND_CFA_RSP || a.bp != b.bp ||
	    a.bp_off != b.bp_off)
		return 0;
	if (b.cfa_off == (int64_t)a.cfa_off + 8)
		return 1;
	return b.cfa_off == (int64_t)a.cfa_off - 8 ? -1 : 0;
}

/*
 * Pushes in prologues and pops in epilogues make a row every byte or two. Consecutive rows that
 * differ by one word in the same direction are merged into one. A bit is set where each of them
 * begins.
 */
static uint32_t merge_pushes(struct bucket_row *r, uint32_t n)
{
	uint32_t out = 0, i = 0, j;

	while (i < n) {
		int way = i + 1 < n ? push_or_pop(r[i].rule, r[i + 1].rule) : 0;
		int32_t off = r[i].rule.cfa_off;
		uint32_t mask = 0;

		for (j = i + 1; way && j < n; j++) {
			uint32_t bit = r[j].pc - r[i].pc - 1u;

			if (bit >= UNWIND_PUSH_REACH ||
			    push_or_pop(r[j - 1].rule, r[j].rule) != way)
				break;
			mask |= 1u << bit;
		}
		if (!mask || off > UNWIND_OFF_MAX || off < -UNWIND_OFF_MAX) {
			r[out++] = r[i++];
			continue;
		}
		r[out] = r[i];
		r[out].rule.cfa = way > 0 ? UNWIND_CFA_RSP_PUSH : UNWIND_CFA_RSP_POP;
		r[out++].rule.cfa_off = UNWIND_PACK(off, mask);
		i = j;
	}
	return out;
}

static int finish_bucket(struct unwind_encoder *e)
{
	struct bucket_row *r = e->fill;
	/* merged rows are of words of 8 bytes */
	uint32_t n = e->is_i386 ? e->n_fill : merge_pushes(r, e->n_fill), id;
	int err;

	if (n > UNWIND_RUN_ROWS_MAX || e->rows.len > UNWIND_ROWS_MAX) {
		e->dense += n > UNWIND_RUN_ROWS_MAX;
		e->capped += e->rows.len > UNWIND_ROWS_MAX;
		r[0].rule = e->rules.data[RULE_SLOW];
		n = 1;
	}
	for (uint32_t i = 0; i < n; i++) {
		err = intern_rule(e, r[i].rule, &id);
		if (err)
			return err;
		e->uses.data[id]++;
		err = vec_push(&e->rows, (uint32_t)r[i].pc << 24 | id);
		if (err)
			return err;
	}
	e->bucket++;
	r[0] = (struct bucket_row){e->rule, 0};
	e->n_fill = 1;
	return vec_push(&e->n_rows, (uint8_t)n);
}

static int finish_buckets_before(struct unwind_encoder *e, uint32_t bucket)
{
	int err = 0;

	while (!err && e->bucket < bucket)
		err = finish_bucket(e);
	return err;
}

static void set_rule(struct unwind_encoder *e, uint8_t pc, struct unwind_rule rule)
{
	struct bucket_row *last = &e->fill[e->n_fill - 1];

	if (last->pc == pc)
		last->rule = rule;
	else
		e->fill[e->n_fill++] = (struct bucket_row){rule, pc};
	e->rule = rule;
}

int unwind_encoder_row(struct unwind_encoder *e, uint64_t va, struct unwind_rule rule)
{
	uint64_t off;
	int err;

	if (va >= e->end)
		return 0;
	off = va < e->begin ? 0 : va - e->begin;
	if (rule_bits(rule) == rule_bits(e->rule))
		return 0;
	e->rows_in++;
	e->rows_slow += rule.cfa == UNWIND_CFA_SLOW;
	err = finish_buckets_before(e, (uint32_t)(off >> UNWIND_BUCKET_BITS));
	if (err)
		return err;
	set_rule(e, (uint8_t)(off & (UNWIND_BUCKET - 1)), rule);
	return 0;
}

static int by_uses(const void *a, const void *b, void *ctx)
{
	const struct unwind_encoder *e = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (e->uses.data[x] != e->uses.data[y])
		return e->uses.data[x] < e->uses.data[y] ? 1 : -1;
	return x < y ? -1 : x > y;
}

/* Gives the rules their final numbers, most used first, and drops unused rules. */
static int number_rules(struct unwind_encoder *e)
{
	size_t n = e->rules.len;
	int err = vec_reserve(&e->number, n) ?: vec_reserve(&e->order, n);

	if (err)
		return err;
	e->uses.data[RULE_SLOW]++; /* always kept: it stands for rules that cannot be encoded */
	for (uint32_t i = 0; i < n; i++)
		e->order.data[i] = i;
	qsort_r(e->order.data, n, sizeof(uint32_t), by_uses, e);
	for (uint32_t i = 0; i < n; i++) {
		e->number.data[e->order.data[i]] = i;
		e->n_rules += e->uses.data[e->order.data[i]] > 0;
	}
	e->rows_off =
		(uint32_t)(sizeof(struct unwind_head) + e->n_rules * sizeof(struct unwind_rule) +
			   e->n_rows.len * sizeof(uint32_t));
	return 0;
}

static uint32_t encode_run(const struct unwind_encoder *e, const uint32_t *rows, uint32_t n,
			   bool wide, uint8_t *out)
{
	uint8_t *p = out;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = e->number.data[PACKED_RULE(rows[i])];

		*p++ = (uint8_t)PACKED_PC(rows[i]);
		if (wide) {
			*p++ = 0;
			*p++ = (uint8_t)id;
			*p++ = (uint8_t)(id >> 8);
		} else {
			*p++ = (uint8_t)id;
		}
	}
	return (uint32_t)(p - out);
}

struct run_key {
	const struct unwind_encoder *e;
	const uint8_t *bytes;
	uint32_t len;
};

static bool run_eq(const void *ctx, uint32_t id)
{
	const struct run_key *key = ctx;
	const struct run *run = &key->e->runs.data[id];

	return run->len == key->len &&
	       !memcmp(key->e->out_runs.data + run->start, key->bytes, key->len);
}

/* Stores a run, or finds an equal one that is stored already. -ENOSPC: an index entry cannot
 * reach it. */
static int place_run(struct unwind_encoder *e, const uint8_t *bytes, uint32_t len, uint32_t *start)
{
	static const uint8_t zeros[UNWIND_RUN_ROWS_MAX * 4];
	const struct run_key key = {e, bytes, len};
	uint64_t hash = hash_bytes(bytes, len, 0);
	uint32_t id = htab_find(&e->by_run, hash, run_eq, &key);
	uint32_t in_page = (uint32_t)(e->rows_off + e->out_runs.len) % UNWIND_PAGE;
	int err;

	if (id != HTAB_NONE) {
		e->shared++;
		*start = e->runs.data[id].start;
		return 0;
	}
	if (in_page + len > UNWIND_PAGE)
		buf_add(&e->out_runs, zeros, UNWIND_PAGE - in_page);
	if (e->out_runs.len / 2 >= UNWIND_RUN_STARTS)
		return -ENOSPC;
	*start = (uint32_t)e->out_runs.len;
	buf_add(&e->out_runs, bytes, len);
	err = e->out_runs.err ?: vec_push(&e->runs, (struct run){*start, len});
	return err ?: htab_insert(&e->by_run, hash, (uint32_t)(e->runs.len - 1));
}

static int encode_bucket(struct unwind_encoder *e, const uint32_t *rows, uint32_t n,
			 uint32_t *entry)
{
	uint8_t bytes[UNWIND_RUN_ROWS_MAX * 4];
	uint32_t start, len;
	bool wide = false;
	int err;

	if (n == 1) {
		e->single++;
		*entry = e->number.data[PACKED_RULE(rows[0])];
		return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		wide |= e->number.data[PACKED_RULE(rows[i])] > UINT8_MAX;
	len = encode_run(e, rows, n, wide, bytes);
	err = place_run(e, bytes, len, &start);
	if (err == -ENOSPC) {
		e->capped++;
		*entry = e->number.data[RULE_SLOW];
		return 0;
	}
	e->wide += wide;
	*entry = (uint32_t)wide << 31 | n << 24 | start / 2;
	return err;
}

static int encode_buckets(struct unwind_encoder *e)
{
	const uint32_t *rows = e->rows.data;
	int err = 0;

	e->index = calloc(e->n_rows.len + 1, sizeof(*e->index));
	if (!e->index)
		return -ENOMEM;
	for (size_t i = 0; !err && i < e->n_rows.len; i++) {
		err = encode_bucket(e, rows, e->n_rows.data[i], &e->index[i]);
		rows += e->n_rows.data[i];
	}
	return err;
}

static int assemble(const struct unwind_encoder *e, void **blob, size_t *len)
{
	struct unwind_head head = {
		.magic = UNWIND_MAGIC,
		.version = UNWIND_VERSION,
		.machine = e->is_i386 ? EM_386 : EM_X86_64,
		.text_va = e->begin,
		.n_buckets = (uint32_t)e->n_rows.len,
		.n_rules = e->n_rules,
		.index_off = (uint32_t)(sizeof(head) + e->n_rules * sizeof(struct unwind_rule)),
		.rows_off = e->rows_off,
		.is_partial = e->is_partial,
	};
	static const uint8_t zeros[UNWIND_PAGE];
	struct buf b = {0};

	buf_add(&b, &head, sizeof(head));
	for (uint32_t i = 0; i < e->n_rules; i++)
		buf_add(&b, &e->rules.data[e->order.data[i]], sizeof(struct unwind_rule));
	buf_add(&b, e->index, e->n_rows.len * sizeof(*e->index));
	buf_add(&b, e->out_runs.data, e->out_runs.len);
	buf_add(&b, zeros, -b.len % UNWIND_PAGE);
	head.size = (uint32_t)b.len;
	if (b.err) {
		buf_release(&b);
		return -ENOMEM;
	}
	memcpy(b.data, &head, sizeof(head));
	head.check = unwind_blob_hash(b.data, b.len);
	memcpy(b.data, &head, sizeof(head));
	*len = b.len;
	*blob = buf_take(&b);
	return *blob ? 0 : -ENOMEM;
}

static void count(const struct unwind_encoder *e, struct unwind_stats *stats)
{
	stats->rows += e->rows_in;
	stats->rows_slow += e->rows_slow;
	for (size_t i = 0; i < e->n_rows.len; i++)
		stats->rows_merged += e->n_rows.data[i] > 1 ? e->n_rows.data[i] : 0;
	stats->buckets += e->n_rows.len;
	stats->buckets_single += e->single;
	stats->buckets_wide += e->wide;
	stats->buckets_shared += e->shared;
	stats->buckets_dense += e->dense;
	stats->rules += e->n_rules;
	stats->capped += e->capped;
}

int unwind_encoder_finish(struct unwind_encoder *e, void **blob, size_t *len,
			  struct unwind_stats *stats)
{
	uint32_t n_buckets = (uint32_t)((e->end - e->begin) >> UNWIND_BUCKET_BITS);
	int err = finish_buckets_before(e, n_buckets);

	err = err ?: number_rules(e);
	err = err ?: encode_buckets(e);
	err = err ?: assemble(e, blob, len);
	if (!err)
		count(e, stats);
	return err;
}
