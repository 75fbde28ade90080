// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The web page with a profile in it: one file that needs no network. The data is JSON in a script
 * element that is not run; text_add_json() leaves no '<' in it, so no name can end the element.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/formats/describe.h"
#include "profiler/formats/export.h"
#include "profiler/profile/quality.h"

#include "profiler/web/page.inc"

/* As many nodes as a browser draws and searches without a pause. Of larger profiles the smallest
 * shares are summed up as hidden, step by step. */
#define MAX_NODES 200000
static const double min_shares[] = {0, 1e-5, 1e-4, 1e-3, 1e-2};

struct page_frame {
	uint32_t name, module; /* strings */
	uint8_t class, kind;
};

struct page {
	const struct profile *p;
	struct buf *out;
	struct strtab *strings;
	VEC(struct page_frame) frames;
	struct htab frame_index;
	struct buf trees; /* JSON, written before the frames and strings it adds */
	struct buf labels;
};

static void page_release(struct page *page)
{
	strtab_free(page->strings);
	vec_release(&page->frames);
	htab_release(&page->frame_index);
	buf_release(&page->trees);
	buf_release(&page->labels);
}

/* "," before all but the first. */
static void add_comma(struct buf *b, size_t i)
{
	if (i)
		buf_char(b, ',');
}

static void add_field(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "\"%s\":", key);
	text_add_json(b, text);
	buf_char(b, ',');
}

/* --- trees -------------------------------------------------------------------------------------- */

struct page_frame_key {
	const struct page *page;
	const struct page_frame *f;
};

static bool page_frame_eq(const void *ctx, uint32_t id)
{
	const struct page_frame_key *k = ctx;
	const struct page_frame *a = &k->page->frames.data[id], *f = k->f;

	return a->name == f->name && a->module == f->module && a->class == f->class &&
	       a->kind == f->kind;
}

static int page_frame_id(struct page *page, const struct calltree *t, const struct calltree_node *n,
			 uint32_t *id)
{
	struct page_frame f = {.class = (uint8_t)frame_class_of(t, n), .kind = n->kind};
	struct page_frame_key key = {page, &f};
	uint64_t hash;

	if (strtab_add(page->strings, calltree_text(t, n->name), &f.name) ||
	    strtab_add(page->strings, calltree_text(t, n->module), &f.module))
		return -ENOMEM;
	hash = hash_mix(hash_mix(f.name, f.module), (uint64_t)f.class << 8 | f.kind);
	*id = htab_find(&page->frame_index, hash, page_frame_eq, &key);
	if (*id != HTAB_NONE)
		return 0;
	*id = (uint32_t)page->frames.len;
	return vec_push(&page->frames, f) ?: htab_insert(&page->frame_index, hash, *id);
}

/* The columns of a tree in preorder without its root, of which "rest" is the self value: frame (-1 - label set for who ran), depth,
 * self value. */
static int add_columns(struct page *page, const struct calltree *t)
{
	struct buf *b = &page->trees;

	buf_str(b, "\"frame\":[");
	for (size_t i = 1; i < t->n_nodes; i++) {
		const struct calltree_node *n = &t->nodes[i];
		uint32_t id;

		add_comma(b, i - 1);
		if (n->kind == FRAME_ROOT_KIND) {
			/* The name is the label set's index, see ROOTS_LABELSET. */
			buf_printf(b, "-%ld", 1 + strtol(calltree_text(t, n->name), NULL, 10));
			continue;
		}
		if (page_frame_id(page, t, n, &id))
			return -ENOMEM;
		buf_printf(b, "%" PRIu32, id);
	}
	buf_str(b, "],\"depth\":[");
	for (size_t i = 1; i < t->n_nodes; i++) {
		add_comma(b, i - 1);
		buf_printf(b, "%" PRIu32, t->nodes[i].depth);
	}
	buf_str(b, "],\"self\":[");
	for (size_t i = 1; i < t->n_nodes; i++) {
		add_comma(b, i - 1);
		buf_printf(b, "%" PRId64, t->nodes[i].self);
	}
	buf_char(b, ']');
	return 0;
}

static int add_tree(struct page *page, const struct measure *m, const struct calltree *t,
		    double min_share)
{
	static const char *const unit_names[] = {"count", "ns", "bytes"};
	struct buf *b = &page->trees;
	int r;

	add_comma(b, b->len);
	buf_char(b, '{');
	add_field(b, "name", m->name);
	add_field(b, "unit", unit_names[m->unit]);
	buf_printf(b,
		   "\"type\":%zu,\"scale\":%" PRId64 ",\"perSample\":%" PRId64
		   ",\"least\":%g,\"rest\":%" PRId64 ",",
		   m->value, m->scale, m->per_sample, min_share, t->nodes[0].self);
	r = add_columns(page, t);
	buf_char(b, '}');
	return r;
}

static int add_value(struct page *page, const struct measure *m)
{
	size_t n = sizeof(min_shares) / sizeof(*min_shares);

	for (size_t i = 0; i < n; i++) {
		struct calltree_opts o = {
			.value = m->value, .roots = ROOTS_LABELSET, .min_share = min_shares[i]};
		_cleanup_(calltree_freep) struct calltree *t = NULL;
		int r = calltree_build(&t, page->p, &o);

		if (r)
			return r;
		if (t->n_nodes <= MAX_NODES || i + 1 == n)
			return add_tree(page, m, t, min_shares[i]);
	}
	return 0;
}

/* The default sample type first, then those that are not the same in another unit. */
static int add_trees(struct page *page)
{
	size_t shown = profile_default_type(page->p);
	bool has_samples = false;
	struct measure m;
	int r;

	if (shown >= page->p->sample_types.len)
		return -EINVAL;
	measure_of(&m, page->p, shown);
	has_samples = m.per_sample != 0;
	r = add_value(page, &m);
	for (size_t i = 0; !r && i < page->p->sample_types.len; i++) {
		if (i == shown)
			continue;
		measure_of(&m, page->p, i);
		if (has_samples && m.unit == MEASURE_COUNT && !strncmp(m.name, "sample", 6))
			continue;
		r = add_value(page, &m);
	}
	return r;
}

/* --- labels, frames, strings ---------------------------------------------------------------------- */

static int add_label_value(struct page *page, const struct profile_label *l)
{
	const struct profile *p = page->p;
	char number[48] = "";
	uint32_t id;

	if (l->str == PROFILE_NONE)
		snprintf(number, sizeof(number), "%" PRId64, l->num);
	if (strtab_add(page->strings, l->str == PROFILE_NONE ? number : profile_text(p, l->str),
		       &id))
		return -ENOMEM;
	buf_printf(&page->labels, "%" PRIu32 "]", id);
	return 0;
}

/* [[[key, value], ...] per label set], both strings. */
static int add_label_sets(struct page *page)
{
	const struct profile *p = page->p;
	int r = 0;

	for (size_t i = 0; i < p->labelsets.len; i++) {
		const struct profile_labelset *set = &p->labelsets.data[i];

		add_comma(&page->labels, i);
		buf_char(&page->labels, '[');
		for (uint32_t k = 0; !r && k < set->len; k++) {
			const struct profile_label *l = &p->labels.data[set->first + k];
			uint32_t key;

			r = strtab_add(page->strings, profile_text(p, l->key), &key);
			add_comma(&page->labels, k);
			buf_printf(&page->labels, "[%" PRIu32 ",", key);
			r = r ?: add_label_value(page, l);
		}
		buf_char(&page->labels, ']');
	}
	return r;
}

static void add_frames(struct page *page)
{
	struct buf *b = page->out;

	buf_str(b, "\"frames\":{\"name\":[");
	for (size_t i = 0; i < page->frames.len; i++) {
		add_comma(b, i);
		buf_printf(b, "%" PRIu32, page->frames.data[i].name);
	}
	buf_str(b, "],\"module\":[");
	for (size_t i = 0; i < page->frames.len; i++) {
		add_comma(b, i);
		buf_printf(b, "%" PRIu32, page->frames.data[i].module);
	}
	buf_str(b, "],\"class\":[");
	for (size_t i = 0; i < page->frames.len; i++) {
		add_comma(b, i);
		buf_printf(b, "%u", page->frames.data[i].class);
	}
	buf_str(b, "],\"kernel\":[");
	for (size_t i = 0; i < page->frames.len; i++) {
		add_comma(b, i);
		buf_char(b, page->frames.data[i].kind == FRAME_KERNEL ? '1' : '0');
	}
	buf_str(b, "]},\n\"strings\":[");
	for (uint32_t i = 0; i < strtab_count(page->strings); i++) {
		add_comma(b, i);
		text_add_json(b, strtab_get(page->strings, i));
	}
	buf_str(b, "],\n\"classes\":[");
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		const struct frame_class_info *c = &frame_classes[i];

		add_comma(b, i);
		buf_printf(b,
			   "{\"key\":\"%s\",\"label\":\"%s\",\"hue\":%d,\"saturation\":%d,"
			   "\"lightness\":%d}",
			   c->key, c->label, c->hue, c->saturation, c->lightness);
	}
	buf_printf(b, "],\"hueJitter\":%d,\"lightJitter\":%d", CLASS_HUE_JITTER,
		   CLASS_LIGHT_JITTER);
}

/* --- quality ---------------------------------------------------------------------------------------- */

static void add_losses(struct buf *b, const struct quality *q)
{
	size_t n = 0;

	buf_str(b, "\"lost\":[");
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		if (!q->lost[i])
			continue;
		add_comma(b, n++);
		buf_char(b, '{');
		add_field(b, "text", loss_text((enum loss_reason)i));
		add_field(b, "cure", loss_cure((enum loss_reason)i));
		buf_printf(b, "\"samples\":%" PRIu64 "}", q->lost[i]);
	}
	buf_str(b, "],");
}

static void add_blame(struct buf *b, const struct quality *q)
{
	buf_str(b, "\"blame\":[");
	for (size_t i = 0; i < q->blame.len; i++) {
		const struct quality_blame *blame = &q->blame.data[i];

		add_comma(b, i);
		buf_char(b, '{');
		add_field(b, "module", blame->module);
		add_field(b, "hint", blame->hint ? blame->hint : "");
		buf_printf(b,
			   "\"frames\":%" PRIu64 ",\"unnamed\":%" PRIu64 ",\"broken\":%" PRIu64 "}",
			   blame->frames, blame->unnamed, blame->broken);
	}
	buf_char(b, ']');
}

/* null where kiln did not make the profile. */
static int add_quality(struct page *page)
{
	_cleanup_(quality_release) struct quality q = {0};
	struct buf *b = page->out;
	int r = quality_load(&q, page->p);

	if (r == -ENOMEM)
		return r;
	buf_str(b, "\"quality\":");
	if (r) {
		buf_str(b, "null");
		return 0;
	}
	buf_char(b, '{');
#define X(key) buf_printf(b, "\"" #key "\":%" PRIu64 ",", q.key);
	QUALITY_COUNTERS(X)
#undef X
	buf_printf(b, "\"unaccounted\":%" PRId64 ",", quality_unaccounted(&q));
	add_losses(b, &q);
	add_blame(b, &q);
	buf_char(b, '}');
	return 0;
}

/* --- the page ----------------------------------------------------------------------------------------- */

static int add_data(struct page *page, const char *title)
{
	struct buf *b = page->out, time = {0};
	int r;

	describe_time(&time, page->p);
	r = time.err ?: add_trees(page) ?: add_label_sets(page);
	buf_char(b, '{');
	add_field(b, "title", title);
	add_field(b, "time", buf_cstr(&time));
	buf_release(&time);
	r = r ?: add_quality(page);
	buf_str(b, ",\n\"labels\":{\"keys\":{\"comm\":\"" LABEL_COMM "\",\"pid\":\"" LABEL_PID
		   "\",\"tid\":\"" LABEL_TID "\"},\"sets\":[");
	buf_add(b, page->labels.data, page->labels.len);
	buf_str(b, "]},\n\"trees\":[");
	buf_add(b, page->trees.data, page->trees.len);
	buf_str(b, "],\n");
	add_frames(page);
	buf_str(b, "}\n");
	return r ?: page->trees.err ?: page->labels.err;
}

static int page_title(struct buf *title, const struct profile *p, const struct export_opts *opts)
{
	if (!opts || !opts->title)
		return describe_title(title, p);
	text_add_clean(title, opts->title, strlen(opts->title));
	return title->err;
}

int export_html(struct buf *out, const struct profile *p, const struct export_opts *opts)
{
	_cleanup_(page_release) struct page page = {.p = p, .out = out, .strings = strtab_new()};
	_cleanup_(buf_release) struct buf title = {0};
	int r = page.strings ? page_title(&title, p, opts) : -ENOMEM;

	if (r)
		return r;
	buf_str(out, PAGE_HEAD);
	text_add_html(out, buf_cstr(&title));
	buf_str(out, PAGE_MIDDLE);
	r = add_data(&page, buf_cstr(&title));
	buf_str(out, PAGE_TAIL);
	return r ?: out->err;
}
