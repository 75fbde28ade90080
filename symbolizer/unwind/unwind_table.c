// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/unwind_table.h"

#include <errno.h>
#include <stdbool.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/go/gopclntab.h"
#include "symbolizer/unwind/cfi.h"
#include "symbolizer/unwind/unwind_encode.h"
#include "symbolizer/unwind/unwind_source.h"

struct build {
	struct unwind_source src;
	struct unwind_encoder *encoder; /* owned */
	size_t known;			/* next index in src.known */
	size_t more;			/* next index in src.more.fdes */
	size_t landing;			/* next index in src.landings */
	bool landing_begun;		/* its rows are written */
	struct unwind_rule described;	/* last rule of the CFI */
	uint64_t go_next, go_from; /* next function of src.go; rules before go_from are ignored */
};

static void build_release(struct build *b)
{
	unwind_encoder_free(b->encoder);
	unwind_source_release(&b->src);
}

/* The rule of code without CFI, and known rules of parts of it. */
static int add_unknown(struct build *b, uint64_t begin, uint64_t end)
{
	const struct unwind_rule rule = {.cfa = b->src.gap_cfa};
	int err;

	if (end <= begin)
		return 0;
	err = unwind_encoder_row(b->encoder, begin, rule);
	for (; !err && b->known < b->src.known.n; b->known++) {
		const struct unwind_known *k = &b->src.known.at[b->known];

		if (k->va >= end)
			break;
		if (k->va < begin)
			continue;
		err = unwind_encoder_row(b->encoder, k->va, k->rule);
		if (!err && k->end < end)
			err = unwind_encoder_row(b->encoder, k->end, rule);
	}
	return err;
}

static int add_more_row(void *ctx, uint64_t va, struct unwind_rule rule)
{
	struct build *b = ctx;

	return unwind_encoder_row(b->encoder, va, rule);
}

/* Code that .eh_frame does not describe: by .debug_frame, where that describes it. */
static int add_undescribed(struct build *b, uint64_t begin, uint64_t end)
{
	struct cfi *more = &b->src.more;
	int err = 0;

	for (; !err && b->more < more->fdes.len; b->more++) {
		const struct cfi_fde *fde = &more->fdes.data[b->more];

		if (fde->start >= end || fde->start >= b->src.end_va)
			break;
		if (fde->start < begin || fde->end > end)
			continue;
		err = add_unknown(b, begin, fde->start) ?: cfi_run(more, b->more, add_more_row, b);
		begin = fde->end;
	}
	return err ?: add_unknown(b, begin, end);
}

/* A rule of a Go function. Signal return stubs keep their known rule. */
static int add_go_row(void *ctx, uint64_t va, struct unwind_rule rule)
{
	struct build *b = ctx;
	const struct unwind_known *k;

	if (va < b->go_from)
		return 0;
	while (b->known < b->src.known.n && b->src.known.at[b->known].end <= va)
		b->known++;
	k = b->known < b->src.known.n ? &b->src.known.at[b->known] : NULL;
	if (k && k->va <= va && k->va >= b->go_from)
		return unwind_encoder_row(b->encoder, k->va, k->rule);
	return unwind_encoder_row(b->encoder, va, rule);
}

/* Fills a gap between two FDEs: by Go's table, else by known rules and the gap rule. */
static int add_gap(struct build *b, uint64_t begin, uint64_t end)
{
	const struct unwind_rule rule = {.cfa = b->src.gap_cfa};
	uint64_t go_begin = 0, go_end = 0;
	int err;

	if (!b->src.go || !gopclntab_range(b->src.go, &go_begin, &go_end) || go_end <= begin ||
	    go_begin >= end)
		return add_undescribed(b, begin, end);
	b->go_from = begin > go_begin ? begin : go_begin;
	go_end = end < go_end ? end : go_end;
	err = add_unknown(b, begin, b->go_from);
	err = err ?: unwind_encoder_row(b->encoder, b->go_from, rule);
	err = err ?: gopclntab_rules(b->src.go, &b->go_next, go_end, add_go_row, b);
	return err ?: add_unknown(b, go_end, end);
}

/* Adds landings that begin before va and ends those that end there. *described is false if a
 * landing goes on at va. */
static int add_landings(struct build *b, uint64_t va, bool *described)
{
	int err = 0;

	*described = true;
	while (!err && b->landing < b->src.n_landings) {
		const struct unwind_landing *l = &b->src.landings[b->landing];

		if (l->row[0].va > va)
			break;
		for (int i = 0; !err && !b->landing_begun && i < UNWIND_LANDING_ROWS; i++)
			err = unwind_encoder_row(b->encoder, l->row[i].va, l->row[i].rule);
		b->landing_begun = l->end > va;
		*described = !b->landing_begun;
		if (b->landing_begun)
			break;
		if (!err && l->end < va)
			err = unwind_encoder_row(b->encoder, l->end, b->described);
		b->landing++;
	}
	return err;
}

static int add_row(void *ctx, uint64_t va, struct unwind_rule rule)
{
	struct build *b = ctx;
	bool described;
	int err = add_landings(b, va, &described);

	b->described = rule;
	return err || !described ? err : unwind_encoder_row(b->encoder, va, rule);
}

/* Adds the rows of the next FDE. */
static int add_fde(struct build *b, size_t i)
{
	const struct cfi_fde *fde = &b->src.cfi.fdes.data[i];
	bool described;
	int err;

	b->landing_begun = false;
	while (b->landing < b->src.n_landings && b->src.landings[b->landing].row[0].va < fde->start)
		b->landing++;
	err = cfi_run(&b->src.cfi, i, add_row, b);
	return err ?: add_landings(b, fde->end - 1, &described);
}

static int add_fdes(struct build *b)
{
	struct cfi *cfi = &b->src.cfi;
	uint64_t at = b->src.begin_va;
	int err = 0;

	for (size_t i = 0; !err && i < cfi->fdes.len; i++) {
		const struct cfi_fde *fde = &cfi->fdes.data[i];

		if (fde->end <= b->src.begin_va || fde->start >= b->src.end_va)
			continue;
		err = add_gap(b, at, fde->start) ?: add_fde(b, i);
		at = fde->end;
	}
	return err ?: add_gap(b, at, UINT64_MAX);
}

int unwind_table_build(void **blob, size_t *len, struct elf_obj *obj, struct unwind_stats *stats)
{
	return unwind_table_build_with(blob, len, obj, NULL, stats);
}

int unwind_table_build_with(void **blob, size_t *len, struct elf_obj *obj,
			    const struct unwind_debug *debug, struct unwind_stats *stats)
{
	_cleanup_(build_release) struct build b = {0};
	struct unwind_stats none = {0};
	int err = unwind_source_open(&b.src, obj, debug);

	if (!stats)
		stats = &none;
	if (err)
		return err;
	err = unwind_encoder_new(&b.encoder, b.src.begin_va, b.src.end_va);
	if (err)
		return err;
	if (b.src.is_i386)
		unwind_encoder_set_i386(b.encoder);
	if (b.src.is_partial)
		unwind_encoder_set_partial(b.encoder);
	err = add_fdes(&b);
	if (err)
		return err;
	stats->fdes += b.src.cfi.fdes.len + b.src.more.fdes.len;
	stats->malformed += b.src.cfi.malformed + b.src.more.malformed;
	stats->capped += b.src.cfi.capped + b.src.more.capped;
	return unwind_encoder_finish(b.encoder, blob, len, stats);
}
