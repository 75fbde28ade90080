// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any pprof bytes, printed in every way kiln report can. The first byte picks the terminal's width
 * and what is asked for; what is printed must be clean text.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/report.h"
#include "profiler/cli/summary.h"
#include "profiler/formats/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define check(ok) ((ok) ? (void)0 : failed(#ok, __LINE__))

static void failed(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

static void check_clean(struct buf *b)
{
	const char *text = buf_cstr(b), *end;

	for (; *text; text = end + 1) {
		end = strchr(text, '\n');
		check(end && text_is_clean(text, (size_t)(end - text)));
	}
	buf_release(b);
}

/* Where no value is negative and no sum saturates, the parts are within the whole. */
static void check_sums(const struct profile *p, const struct table_opts *o)
{
	int64_t self = 0, whole = 0;
	struct table *t;

	for (size_t i = 0; i < p->values.len; i++)
		if (p->values.data[i] < 0 || p->values.data[i] > 1 << 30)
			return;
	check(!table_build(&t, p, o));
	for (size_t i = 0; i < p->samples.len; i++)
		if (p->stacks.data[p->samples.data[i].stack].len || table_by_label(o->by))
			whole += p->values.data[p->samples.data[i].first_value + o->value];
	for (size_t i = 0; i < t->rows.len; i++) {
		self += t->rows.data[i].self;
		check(t->rows.data[i].self <= t->rows.data[i].total);
		check(t->rows.data[i].total <= t->total);
	}
	check(self == whole);
	table_free(t);
}

static void print_all(const struct profile *p, uint8_t choice)
{
	struct quality q = {0};
	struct report r = {.p = p, .whole = p, .n_rows = choice & 3};
	struct term t = {.columns = choice & 4 ? 0 : 40 + choice / 2};
	struct buf b = {0};
	int err;

	if (!quality_load(&q, p))
		r.quality = &q;
	r.table.value = profile_default_type(p);
	for (enum table_by by = TABLE_FUNCTION; by <= TABLE_CGROUP; by++) {
		r.table.by = by;
		check_sums(p, &r.table);
		check(!report_table(&b, &r, &t));
	}
	r.table.by = choice & 8 ? TABLE_LINE : TABLE_FUNCTION;
	check(!report_json(&b, &r));
	check(!report_summary(&b, &r, &t));
	summary_next(&b, p, "p.pb.gz",
		     p->functions.len ? profile_text(p, p->functions.data[0].name) : NULL);
	r.table.of = p->functions.len ? profile_text(p, p->functions.data[0].name) : "none";
	for (r.table.relation = TABLE_CALLERS; r.table.relation <= TABLE_CALLEES;
	     r.table.relation++) {
		check(!report_table(&b, &r, &t));
		err = report_tree(&b, &r, &t);
		check(!err || err == -EOVERFLOW); /* a tree does not saturate: it refuses */
	}
	check_clean(&b);
	quality_release(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *why = NULL;
	struct profile *p;

	setlocale(LC_CTYPE, "C.UTF-8");
	if (!len || import_pprof(&p, data + 1, len - 1, &why))
		return 0;
	if (p->sample_types.len)
		print_all(p, data[0]);
	profile_free(p);
	return 0;
}
