// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes: import, export in every format, import what was exported. What was read once must be
 * writable, and readable again with the same totals.
 */
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/buf.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Far above what the fuzzer's short inputs need: one that asks for more is a find. */
#define MAX_OUTPUT (256u << 20)

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int64_t total(const struct profile *p, size_t type)
{
	int64_t sum = 0;

	for (size_t i = 0; i < p->samples.len; i++)
		sum = (int64_t)((uint64_t)sum +
				(uint64_t)p->values.data[p->samples.data[i].first_value + type]);
	return sum;
}

static bool keep_all(void *ctx, const struct profile *src, size_t sample)
{
	(void)ctx, (void)src, (void)sample;
	return true;
}

static void import_again(const struct profile *p, const struct buf *b)
{
	struct profile *back = NULL;
	const char *why = NULL;

	check(!import_pprof(&back, b->data, b->len, &why));
	/* Fewer where only addresses that are not written told two kernel stacks apart. */
	check(back->samples.len <= p->samples.len);
	for (size_t t = 0; back->samples.len == p->samples.len && t < p->sample_types.len; t++)
		check(total(back, t) == total(p, t));
	profile_free(back);
}

static void merge_and_filter(struct profile *p)
{
	struct profile *copy = NULL;
	struct quality q = {0};
	const char *why = NULL;

	check(!profile_filter(&copy, p, keep_all, NULL));
	check(copy->samples.len == p->samples.len);
	check(!profile_merge(copy, p, &why));
	if (!quality_load(&q, p))
		check(!quality_store(p, &q));
	quality_release(&q);
	profile_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct export_opts opts = {.folded_delim = len & 1, .folded_annotate = len & 2};
	struct profile *p = NULL;
	const char *why = NULL;
	struct buf b = {0};
	int err = import_pprof(&p, data, len, &why);

	if (err) {
		check(why && *why && !p);
		check(err == -EBADMSG || err == -EFBIG || err == -ENOMEM);
		return 0;
	}
	for (enum export_format f = EXPORT_PPROF_GZ; f <= EXPORT_SPEEDSCOPE; f++) {
		if (f == EXPORT_SVG || f == EXPORT_HTML)
			continue; /* fuzzed by themselves */
		buf_clear(&b);
		check(!export_profile(&b, p, f, &opts));
		check(b.len < MAX_OUTPUT);
		if (export_is_binary(f))
			import_again(p, &b);
	}
	merge_and_filter(p);
	buf_release(&b);
	profile_free(p);
	return 0;
}
