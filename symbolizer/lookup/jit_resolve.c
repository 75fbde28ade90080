// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/lookup/jit_resolve.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/jit/jitdump.h"
#include "symbolizer/jit/perfmap.h"

#define NO_MODULE "[jit]"

static int answer_bare(const struct sym_query *q, size_t i, enum sym_reason why, sym_result_fn fn,
		       void *ctx)
{
	return sym_answer_bare(i, q->addr[i], why, NO_MODULE, fn, ctx);
}

static int answer(const struct sym_query *q, size_t i, const struct jit_frame *f, sym_result_fn fn,
		  void *ctx)
{
	struct sym_frame frame = {0};
	struct sym_result r = {.elf_va = q->addr[i], .frames = &frame, .n_frames = 1};

	frame.name = f->name;
	frame.file = f->file;
	frame.line = f->line;
	fn(ctx, i, &r);
	return 0;
}

static int from_dump(struct jitdump *j, const struct sym_query *q, sym_result_fn fn, void *ctx)
{
	int err = 0;

	if (q->names_only)
		jitdump_drop_lines(j);
	for (size_t i = 0; i < q->n && !err; i++) {
		struct jit_frame f = {0};

		err = jitdump_find(j, q->as_of[i], q->addr[i], &f);
		if (err == -ENOENT)
			err = answer_bare(q, i, SYM_NO_SYMBOL, fn, ctx);
		else if (!err)
			err = answer(q, i, &f, fn, ctx);
	}
	return err;
}

static int answer_from_map(struct perfmap *m, const struct sym_query *q,
			   const struct perfmap_ask *ask, sym_result_fn fn, void *ctx)
{
	struct jit_frame f = {0};

	if (ask->entry == PERFMAP_NONE)
		return answer_bare(q, ask->index, perfmap_is_cut(m) ? SYM_LIMIT : SYM_NO_SYMBOL, fn,
				   ctx);
	f.name = perfmap_name(m, ask->entry);
	return f.name ? answer(q, ask->index, &f, fn, ctx) : -ENOMEM;
}

static int from_map(struct perfmap *m, const struct sym_query *q, sym_result_fn fn, void *ctx)
{
	_cleanup_free_ struct perfmap_ask *asks = calloc(q->n + 1, sizeof(*asks));
	int err;

	if (!asks)
		return -ENOMEM;
	for (size_t i = 0; i < q->n; i++)
		asks[i] = (struct perfmap_ask){
			.va = q->addr[i], .bytes = q->as_of[i], .index = (uint32_t)i};
	err = perfmap_find(m, asks, q->n);
	for (size_t i = 0; i < q->n && !err; i++)
		err = answer_from_map(m, q, &asks[i], fn, ctx);
	return err;
}

static int from_nothing(const struct sym_query *q, enum sym_reason why, sym_result_fn fn, void *ctx)
{
	int err = 0;

	for (size_t i = 0; i < q->n && !err; i++)
		err = answer_bare(q, i, why, fn, ctx);
	return err;
}

int jit_resolve(const struct sym_query *q, sym_result_fn fn, void *ctx)
{
	struct jitdump *j = NULL;
	struct perfmap *m = NULL;
	int err = q->kind == QUERY_JITDUMP ? jitdump_open(&j, q->file->fd)
					   : perfmap_read(&m, q->file->fd);

	if (j)
		err = from_dump(j, q, fn, ctx);
	else if (m)
		err = from_map(m, q, fn, ctx);
	else if (err != -ENOMEM)
		err = from_nothing(q, err == -EFBIG ? SYM_LIMIT : SYM_NO_SYMBOL, fn, ctx);
	jitdump_free(j);
	perfmap_free(m);
	return err;
}
