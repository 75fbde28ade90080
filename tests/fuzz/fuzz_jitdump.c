// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A jitdump, asked for addresses and times out of itself. Whatever the bytes are, an answer is clean
 * text, the same when asked again, and there is none at all outside of what was loaded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "symbolizer/jit/jitdump.h"

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
	jitdump_free(j);
	return 0;
}
