// SPDX-License-Identifier: GPL-2.0-or-later
/* `kiln report --json`: one object, stable keys, values in the profile's own units. */
#include <inttypes.h>

#include "profiler/base/text.h"
#include "profiler/cli/report.h"
#include "profiler/formats/describe.h"

static const char *kind_name(enum frame_kind kind)
{
	static const char *const names[] = {
		[FRAME_NATIVE] = "native",	 [FRAME_KERNEL] = "kernel",   [FRAME_JIT] = "jit",
		[FRAME_SYNTHETIC] = "synthetic", [FRAME_UNKNOWN] = "unknown",
	};

	return names[kind];
}

static void add_key_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "\"%s\":", key);
	text_add_json(b, text);
	buf_char(b, ',');
}

static int add_about(struct buf *b, const struct report *r)
{
	const struct profile *p = r->p;
	struct buf title = {0};
	int err = describe_title(&title, p);

	add_key_text(b, "title", buf_cstr(&title));
	buf_release(&title);
	buf_printf(b, "\"time_ns\":%" PRId64 ",\"duration_ns\":%" PRId64 ",\"period\":%" PRId64 ",",
		   p->time_ns, p->duration_ns, p->period);
	add_key_text(b, "period_unit", profile_text(p, p->period_type.unit));
	buf_str(b, "\"values\":[");
	for (size_t i = 0; i < p->sample_types.len; i++) {
		buf_str(b, i ? ",{" : "{");
		add_key_text(b, "type", profile_text(p, p->sample_types.data[i].type));
		add_key_text(b, "unit", profile_text(p, p->sample_types.data[i].unit));
		buf_printf(b, "\"total\":%" PRId64 "}", profile_total(p, i));
	}
	buf_str(b, "],\n");
	return err;
}

static void add_quality(struct buf *b, const struct quality *q)
{
	if (!q) {
		buf_str(b, "\"quality\":null,\n");
		return;
	}
	buf_str(b, "\"quality\":{");
#define X(key) buf_printf(b, "\"" #key "\":%" PRIu64 ",", q->key);
	QUALITY_COUNTERS(X)
#undef X
	buf_str(b, "\"lost\":{");
	for (int i = 0; i < LOSS_COUNT; i++)
		buf_printf(b, "%s\"%s\":%" PRIu64, i ? "," : "", loss_key(i), q->lost[i]);
	buf_str(b, "},\"blame\":[");
	for (size_t i = 0; i < q->blame.len; i++) {
		const struct quality_blame *m = &q->blame.data[i];

		buf_str(b, i ? ",{" : "{");
		add_key_text(b, "module", m->module);
		add_key_text(b, "hint", m->hint ? m->hint : "");
		buf_printf(b,
			   "\"frames\":%" PRIu64 ",\"unnamed\":%" PRIu64 ",\"broken\":%" PRIu64 "}",
			   m->frames, m->unnamed, m->broken);
	}
	buf_str(b, "]},\n");
}

static void add_rows(struct buf *b, const struct table *t, size_t n_rows)
{
	for (size_t i = 0; i < t->rows.len && (!n_rows || i < n_rows); i++) {
		const struct table_row *row = &t->rows.data[i];

		buf_str(b, i ? ",\n{" : "\n{");
		add_key_text(b, "name", table_text(t, row->name));
		add_key_text(b, "module", table_text(t, row->module));
		add_key_text(b, "caller", table_text(t, row->caller));
		add_key_text(b, "kind", kind_name(row->kind));
		buf_printf(b, "\"self\":%" PRId64 ",\"total\":%" PRId64 "}", row->self, row->total);
	}
}

int report_json(struct buf *out, const struct report *r)
{
	const struct profile_value_type *type = &r->p->sample_types.data[r->table.value];
	struct table *t;
	int err = table_build(&t, r->p, &r->table);

	if (err)
		return err;
	buf_char(out, '{');
	err = add_about(out, r);
	add_quality(out, r->quality);
	add_key_text(out, "type", profile_text(r->p, type->type));
	add_key_text(out, "unit", profile_text(r->p, type->unit));
	buf_printf(out, "\"total\":%" PRId64 ",\"matched\":%" PRId64 ",\"rows\":[",
		   profile_total(r->whole, r->table.value), t->total);
	add_rows(out, t, r->n_rows);
	buf_str(out, "\n]}\n");
	table_free(t);
	return err ?: out->err;
}
