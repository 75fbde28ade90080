// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any pprof becomes a picture and a page that its names cannot break out of, and its call trees add
 * up. The first byte chooses the options, the rest is the file.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "profiler/formats/export.h"
#include "profiler/profile/calltree.h"
#include "profiler/profile/transform.h"
#include "profiler/profile/tree_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rows(const struct calltree *t, size_t max_rows)
{
	struct tree_rows rows = {0};
	size_t n;

	if (tree_rows_choose(&rows, t, max_rows))
		return;
	n = rows.light.n_nodes;
	for (size_t i = 0; i < rows.rows.len; i++)
		n += rows.rows.data[i].n_left ?: 1;
	assert(n == t->n_nodes - 1);
	assert(!max_rows || rows.rows.len <= max_rows);
	tree_rows_release(&rows);
}

static bool has_small_values(const struct profile *p)
{
	for (size_t i = 0; i < p->values.len; i++)
		if (p->values.data[i] < 0 || p->values.data[i] > UINT32_MAX)
			return false;
	return true;
}

/* What shows less takes nothing of what it shows. */
static void check_transform(const struct profile *p, uint8_t choice)
{
	enum transform_kind kind = (enum transform_kind)(choice % 4);
	struct transform t = {.no_inline = choice & 8};
	struct profile *out = NULL;
	const char *why;

	if (!transform_add(&t, kind, "[a-m]", &why) && !transform_apply(&t, p, &out)) {
		assert(out->samples.len <= p->samples.len);
		if (kind == TRANSFORM_COLLAPSE && has_small_values(p))
			assert(profile_weight(out) == profile_weight(p));
	}
	profile_free(out);
	transform_release(&t);
}

static void check_tree(const struct profile *p, uint8_t choice)
{
	struct calltree_opts o = {
		.value = profile_default_type(p),
		.roots = (enum calltree_roots)(choice % (ROOTS_LABELSET + 1)),
		.by = choice & 3 ? TABLE_PROCESS + choice % 4 : TABLE_FILE + choice / 4 % 4,
		.detail = !(choice & 0x40) ? DETAIL_FUNCTION
			  : choice & 3	   ? DETAIL_LINE
					   : DETAIL_GROUP,
		.inverted = choice & 0x80,
		.min_share = choice & 0x20 ? 0.01 : 0,
		.through = choice & 0x10 && p->functions.len
				   ? profile_text(p, p->functions.data[0].name)
				   : NULL,
	};
	struct calltree *t = NULL;
	int64_t self = 0;

	if (calltree_build(&t, p, &o))
		return;
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct calltree_node *n = &t->nodes[i];

		self += n->self;
		assert(n->self >= 0 && n->total >= n->self);
		assert(i == 0 || n->parent < i);
		assert(n->subtree_len >= 1 && i + n->subtree_len <= t->n_nodes);
	}
	assert(o.inverted ? self <= t->total : self == t->total);
	check_rows(t, choice);
	calltree_free(t);
}

/* The data stands between the first "id=\"data\">" and the end of its element. */
static void check_page(const struct profile *p)
{
	struct buf b = {0};
	const char *data, *end;

	if (!export_html(&b, p, NULL)) {
		data = strstr(buf_cstr(&b), "id=\"data\">");
		assert(data);
		end = strstr(data, "</script>");
		assert(end && !memchr(data, '<', (size_t)(end - data)));
		assert(strstr(end, "<script>") &&
		       !strstr(strstr(end + 1, "</script>") + 1, "</script>"));
	}
	buf_release(&b);
}

static void check_picture(const struct profile *p)
{
	struct buf b = {0};

	if (!export_svg(&b, p, NULL)) {
		const char *script = strstr(buf_cstr(&b), "<script>");

		assert(script && !strstr(script + 1, "<script>"));
		assert(!strstr(b.data, "\xef\xbf\xbf"));
	}
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile *p = NULL;
	const char *why;

	if (!size || import_pprof(&p, data + 1, size - 1, &why))
		return 0;
	if (p->sample_types.len) {
		check_tree(p, data[0]);
		check_transform(p, data[0]);
		check_page(p);
		check_picture(p);
	}
	profile_free(p);
	return 0;
}
