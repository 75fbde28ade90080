// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A jitdump, asked for addresses and times out of itself. Whatever the bytes are, an answer is clean
 * text, the same when asked again, and there is none at all outside of what was loaded. Nor is there a rule
 * of its unwind table.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "symbolizer/jit/jitdump.h"
#include "symbolizer/jit/jitdump_priv.h"
#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/unwind/unwind_blob.h"
#include "symbolizer/unwind/unwind_jit.h"

static void check(const struct jit_frame *f)
{
	if (!f->name || !*f->name || !text_is_clean(f->name, strlen(f->name)))
		abort();
	if (f->file && !text_is_clean(f->file, strlen(f->file)))
		abort();
	if (f->line && !f->file)
		abort();
}

static void ask(struct jitdump *j, uint64_t t_ns, uint64_t va)
{
	struct jitdump_stats stats;
	struct jit_frame f, again;
	char *name;

	jitdump_stats(j, &stats);
	if (jitdump_find(j, t_ns, va, &f))
		return;
	if (!stats.codes)
		abort();
	check(&f);
	name = strdup(f.name);
	if (!name || jitdump_find(j, t_ns, va, &again) || strcmp(name, again.name) != 0 ||
	    f.line != again.line)
		abort();
	free(name);
}

static bool is_in_code(const struct jitdump *j, uint64_t va)
{
	for (size_t i = 0; i < j->codes.len; i++)
		if (va - j->codes.data[i].start < j->codes.data[i].end - j->codes.data[i].start)
			return true;
	return false;
}

/* A table is whole, and has no rule outside of code. */
static void build_table(struct jitdump *j, const uint8_t *data, size_t size)
{
	void *table = NULL;
	size_t len = 0;
	uint64_t v;

	if (unwind_jit_build(&table, &len, j))
		return;
	if (unwind_blob_check(table, len))
		abort();
	for (size_t i = 0; i + 8 <= size; i += 4) {
		memcpy(&v, data + i, 8);
		if (unwind_table_rule(table, v).cfa != UNWIND_CFA_NONE && !is_in_code(j, v))
			abort();
	}
	free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jitdump *j;
	uint64_t v;

	if (size > 16384 || jitdump_parse(&j, data, size))
		return 0;
	for (size_t i = 0; i + 8 <= size; i += 4) {
		memcpy(&v, data + i, 8);
		ask(j, UINT64_MAX, v);
		ask(j, size, v);
	}
	build_table(j, data, size);
	jitdump_free(j);
	return 0;
}
