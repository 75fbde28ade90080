// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The web page with a profile in it: one file that needs no network. The data is JSON in a script
 * element that does not run. json_text() leaves no '<' in it, so no name can end the element.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/base64.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/json.h"
#include "profiler/base/text.h"
#include "profiler/formats/compress.h"
#include "profiler/formats/describe.h"
#include "profiler/formats/export.h"
#include "profiler/formats/quality_json.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/package.h"
#include "profiler/profile/processes.h"
#include "profiler/profile/quality.h"
#include "profiler/profile/table.h"
#include "profiler/profile/totals.h"

#include "profiler/web/page.inc"

/*
 * The page has every node: its figures come from them, and it draws as many as it can. The columns
 * of larger trees are packed: they repeat themselves, so they become some fiftieth of their text.
 */
#define MAX_PLAIN_NODES 50000
/* Rows of the table by line; lighter ones are counted. */
#define MAX_LINES 10000

struct page_frame {
	uint32_t name, module, file; /* strings */
	uint8_t class, kind;
	bool inlined;
	uint32_t directory, package; /* strings; with `file` the rows of tables by them */
	uint8_t caller;		     /* enum caller_kind */
};

/* What a frame is as a caller to blame: profiler/web/callers.js. */
enum caller_kind { CALLER_NAMED, CALLER_VAGUE, CALLER_PASSED, CALLER_PLUMBING, CALLER_ENGINE };

struct page {
	const struct profile *p;
	struct json out;
	struct strtab *strings;
	VEC(struct page_frame) frames;
	struct htab frame_index;
	/* Written first; they add to frames and strings. */
	struct buf trees_text, labels_text, names_text, lines_text;
	struct json trees, labels, names, lines;
};

static void page_release(struct page *page)
{
	strtab_free(page->strings);
	vec_release(&page->frames);
	htab_release(&page->frame_index);
	buf_release(&page->trees_text);
	buf_release(&page->labels_text);
	buf_release(&page->names_text);
	buf_release(&page->lines_text);
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

	return a->name == f->name && a->module == f->module && a->file == f->file &&
	       a->class == f->class && a->kind == f->kind && a->inlined == f->inlined;
}

static int page_frame_id(struct page *page, const struct calltree *t, const struct calltree_node *n,
			 uint32_t *id)
{
	struct page_frame f = {
		.class = (uint8_t)frame_class_of(t, n), .kind = n->kind, .inlined = n->inlined};
	struct page_frame_key key = {page, &f};
	uint64_t hash;

	if (strtab_add(page->strings, calltree_text(t, n->name), &f.name) ||
	    strtab_add(page->strings, calltree_text(t, n->module), &f.module) ||
	    strtab_add(page->strings, calltree_text(t, n->file), &f.file))
		return -ENOMEM;
	hash = hash_mix(hash_mix(hash_mix(f.name, f.module), f.file),
			(uint64_t)f.class << 9 | (uint64_t)f.kind << 1 | f.inlined);
	*id = htab_find(&page->frame_index, hash, page_frame_eq, &key);
	if (*id != HTAB_NONE)
		return 0;
	*id = (uint32_t)page->frames.len;
	return vec_push(&page->frames, f) ?: htab_insert(&page->frame_index, hash, *id);
}

/* The columns of a tree in preorder, without its root; its self value is "rest". Columns: frame
 * (-1 - label set for a root), depth, self value. */
static int add_columns(struct page *page, struct json *j, const struct calltree *t)
{
	json_key_open(j, "frame", '[');
	for (size_t i = 1; i < t->n_nodes; i++) {
		const struct calltree_node *n = &t->nodes[i];
		uint32_t id;

		if (n->kind == FRAME_ROOT_KIND) {
			/* The name is the index of the label set, see ROOTS_LABELSET. */
			json_int(j, -1 - strtol(calltree_text(t, n->name), NULL, 10));
			continue;
		}
		if (page_frame_id(page, t, n, &id))
			return -ENOMEM;
		json_uint(j, id);
	}
	json_close(j, ']');
	json_key_open(j, "depth", '[');
	for (size_t i = 1; i < t->n_nodes; i++)
		json_uint(j, t->nodes[i].depth);
	json_close(j, ']');
	json_key_open(j, "self", '[');
	for (size_t i = 1; i < t->n_nodes; i++)
		json_int(j, t->nodes[i].self);
	json_close(j, ']');
	return 0;
}

/* The same as one text: an object of the columns, as JSON in gzip in base64. */
static int add_packed(struct page *page, const struct calltree *t)
{
	_cleanup_(buf_release) struct buf columns = {0}, packed = {0}, text = {0};
	struct json j = {.out = &columns};
	int r;

	json_open(&j, '{');
	r = add_columns(page, &j, t);
	json_close(&j, '}');
	r = r ?: columns.err ?: compress_gzip(&packed, columns.data, columns.len);
	if (r)
		return r;
	base64_encode(&text, packed.data, packed.len);
	json_key_text(&page->trees, "packed", buf_cstr(&text));
	return text.err;
}

static int add_tree(struct page *page, const struct measure *m, const struct calltree *t)
{
	static const char *const unit_names[] = {"count", "ns", "bytes"};
	struct json *j = &page->trees;
	int r;

	json_open(j, '{');
	json_key_text(j, "name", m->name);
	json_key_text(j, "unit", unit_names[m->unit]);
	json_key_uint(j, "type", m->value);
	json_key_int(j, "scale", m->scale);
	json_key_int(j, "perSample", m->per_sample);
	json_key_int(j, "rest", t->nodes[0].self);
	r = t->n_nodes > MAX_PLAIN_NODES ? add_packed(page, t) : add_columns(page, j, t);
	json_close(j, '}');
	return r;
}

static int add_value(struct page *page, const struct measure *m)
{
	struct calltree_opts o = {
		.value = m->value, .roots = ROOTS_LABELSET, .with_less = true, .with_files = true};
	_cleanup_(calltree_freep) struct calltree *t = NULL;

	return calltree_build(&t, page->p, &o) ?: add_tree(page, m, t);
}

/* The default sample type first. Types that repeat another in a different unit are left out. */
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

/* --- lines ------------------------------------------------------------------------------------ */

/* A column of the first n rows. */
#define ADD_COLUMN(page, key, n, write)                                                            \
	do {                                                                                       \
		json_key_open(&(page)->lines, key, '[');                                           \
		for (size_t i = 0; i < (n); i++)                                                   \
			write;                                                                     \
		json_close(&(page)->lines, ']');                                                   \
	} while (0)

/* A row's name is its function and "(file:line)": apart, so that a long function's name is there
 * once. */
static int add_line_name(struct page *page, const char *name, uint32_t *at)
{
	const char *cut = name;
	char *function;
	uint32_t id;
	int r;

	for (const char *s = name; (s = strstr(s, " (")); s++)
		cut = s;
	if (cut == name)
		cut = name + strlen(name);
	function = strndup(name, (size_t)(cut - name));
	r = function
		    ? strtab_add(page->strings, function, &id) ?: strtab_add(page->strings, cut, at)
		    : -ENOMEM;
	free(function);
	json_uint(&page->lines, r ? 0 : id);
	return r;
}

static int add_line_rows(struct page *page, const struct table *t, size_t n)
{
	_cleanup_free_ uint32_t *at = calloc(n + 1, sizeof(*at)),
				*module = calloc(n + 1, sizeof(*at));
	const struct table_row *rows = t->rows.data;
	int r = at && module ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < n; i++)
		r = strtab_add(page->strings, table_text(t, rows[i].module), &module[i]);
	if (r)
		return r;
	ADD_COLUMN(page, "name", n,
		   r = r ?: add_line_name(page, table_text(t, rows[i].name), &at[i]));
	ADD_COLUMN(page, "at", n, json_uint(&page->lines, at[i]));
	ADD_COLUMN(page, "module", n, json_uint(&page->lines, module[i]));
	ADD_COLUMN(page, "self", n, json_int(&page->lines, rows[i].self));
	ADD_COLUMN(page, "total", n, json_int(&page->lines, rows[i].total));
	json_key_uint(&page->lines, "left", t->rows.len - n);
	return r;
}

/* Trees have no lines, they would be several times as large. */
static int add_lines(struct page *page)
{
	struct table_opts o = {
		.value = profile_default_type(page->p), .by = TABLE_LINE, .with_lost = true};
	_cleanup_(table_freep) struct table *t = NULL;

	return table_build(&t, page->p, &o)
		       ?: add_line_rows(page, t, t->rows.len < MAX_LINES ? t->rows.len : MAX_LINES);
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
	json_uint(&page->labels, id);
	return 0;
}

/* [[[key, value], ...] for each label set], both strings. */
static int add_label_sets(struct page *page)
{
	const struct profile *p = page->p;
	int r = 0;

	for (size_t i = 0; i < p->labelsets.len; i++) {
		const struct profile_labelset *set = &p->labelsets.data[i];

		json_open(&page->labels, '[');
		for (uint32_t k = 0; !r && k < set->len; k++) {
			const struct profile_label *l = &p->labels.data[set->first + k];
			uint32_t key;

			r = strtab_add(page->strings, profile_text(p, l->key), &key);
			json_open(&page->labels, '[');
			json_uint(&page->labels, r ? 0 : key);
			r = r ?: add_label_value(page, l);
			json_close(&page->labels, ']');
		}
		json_close(&page->labels, ']');
	}
	return r;
}

/* [[process, command] for each label set], both strings. */
static int add_process_names(struct page *page)
{
	struct processes processes;
	int r = processes_load(&processes, page->p);

	if (r)
		return r;
	for (size_t i = 0; !r && i < page->p->labelsets.len; i++) {
		const struct process_names *names = &processes.names[i];
		uint32_t process = 0, command = 0;

		r = strtab_add(page->strings, names->process, &process)
			    ?: strtab_add(page->strings, names->command, &command);
		json_open(&page->names, '[');
		json_uint(&page->names, process);
		json_uint(&page->names, command);
		json_close(&page->names, ']');
	}
	processes_release(&processes);
	return r;
}

/* As tables by file, directory and package have it: what is not known is of its module. */
static int find_origin(struct strtab *strings, struct page_frame *f)
{
	_cleanup_(buf_release) struct buf directory = {0}, package = {0};
	const char *name = strtab_get(strings, f->name), *file = strtab_get(strings, f->file);
	bool is_named = *name && *name != '[';

	f->directory = f->package = f->module;
	if (is_named && package_directory(&directory, file) &&
	    strtab_add(strings, buf_cstr(&directory), &f->directory))
		return -ENOMEM;
	if (is_named && package_of(&package, name, file, f->kind) &&
	    strtab_add(strings, buf_cstr(&package), &f->package))
		return -ENOMEM;
	if (!is_named || !*file)
		f->file = f->module;
	return directory.err ?: package.err;
}

static enum caller_kind caller_kind_of(const struct strtab *strings, const struct page_frame *f)
{
	const char *name = strtab_get(strings, f->name), *module = strtab_get(strings, f->module);

	if (!*name || *name == '[' || profile_name_is_bare(name, module))
		return CALLER_PASSED;
	switch (frame_role_of(name, module, f->kind)) {
	case ROLE_CEREMONY:
		return CALLER_PASSED;
	case ROLE_PLUMBING:
		return CALLER_PLUMBING;
	case ROLE_ENGINE:
		return CALLER_ENGINE;
	default:
		return frame_name_is_vague(name) ? CALLER_VAGUE : CALLER_NAMED;
	}
}

static int find_origins(struct page *page)
{
	int r = 0;

	for (size_t i = 0; !r && i < page->frames.len; i++) {
		page->frames.data[i].caller = caller_kind_of(page->strings, &page->frames.data[i]);
		r = find_origin(page->strings, &page->frames.data[i]);
	}
	return r;
}

/* A column of all frames. */
#define ADD_FRAMES(j, page, key, value)                                                            \
	do {                                                                                       \
		json_key_open(j, key, '[');                                                        \
		for (size_t i = 0; i < (page)->frames.len; i++) {                                  \
			const struct page_frame *f = &(page)->frames.data[i];                      \
			json_uint(j, value);                                                       \
		}                                                                                  \
		json_close(j, ']');                                                                \
	} while (0)

static void add_frames(struct json *j, const struct page *page)
{
	json_key_open(j, "frames", '{');
	ADD_FRAMES(j, page, "name", f->name);
	ADD_FRAMES(j, page, "module", f->module);
	ADD_FRAMES(j, page, "class", f->class);
	ADD_FRAMES(j, page, "kernel", f->kind == FRAME_KERNEL);
	ADD_FRAMES(j, page, "inlined", f->inlined);
	ADD_FRAMES(j, page, "file", f->file);
	ADD_FRAMES(j, page, "directory", f->directory);
	ADD_FRAMES(j, page, "package", f->package);
	ADD_FRAMES(j, page, "caller", f->caller);
	json_close(j, '}');
}

static void add_strings(struct json *j, const struct strtab *strings)
{
	json_key_open(j, "strings", '[');
	for (uint32_t i = 0; i < strtab_count(strings); i++)
		json_text(j, strtab_get(strings, i));
	json_close(j, ']');
}

static void add_classes(struct json *j)
{
	json_key_open(j, "classes", '[');
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		const struct frame_class_info *c = &frame_classes[i];

		json_open(j, '{');
		json_key_text(j, "key", c->key);
		json_key_text(j, "label", c->label);
		json_key_int(j, "hue", c->hue);
		json_key_int(j, "saturation", c->saturation);
		json_key_int(j, "lightness", c->lightness);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_key_int(j, "hueJitter", CLASS_HUE_JITTER);
	json_key_int(j, "lightJitter", CLASS_LIGHT_JITTER);
}

/* --- quality ---------------------------------------------------------------------------------------- */

static void add_losses(struct json *j, const struct quality *q)
{
	json_key_open(j, "lost", '[');
	for (size_t i = 0; i < LOSS_COUNT; i++) {
		if (!q->lost[i])
			continue;
		json_open(j, '{');
		json_key_text(j, "text", loss_text((enum loss_reason)i));
		json_key_text(j, "cure", loss_cure((enum loss_reason)i));
		json_key_uint(j, "samples", q->lost[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void add_rootless(struct json *j, const struct profile *p, const struct quality *q)
{
	_cleanup_(buf_release) struct buf text = {0};

	if (!quality_rootless(p))
		return;
	quality_rootless_text(&text, p, q);
	json_key_text(j, "rootless", buf_cstr(&text));
}

/* null if kiln did not make the profile. */
static int add_quality(struct json *j, const struct profile *p)
{
	_cleanup_(quality_release) struct quality q = {0};
	int r = quality_load(&q, p);

	if (r == -ENOMEM)
		return r;
	json_key(j, "quality");
	if (r) {
		json_null(j);
		return 0;
	}
	json_open(j, '{');
	if (quality_where(p))
		json_key_text(j, "where", quality_where(p));
	add_rootless(j, p, &q);
	quality_json_counters(j, &q);
	json_key_int(j, "unaccounted", quality_unaccounted(&q));
	add_losses(j, &q);
	quality_json_blame(j, &q);
	json_close(j, '}');
	return 0;
}

/* --- the page ----------------------------------------------------------------------------------------- */

/* Label sets, trees, lines. */
static void add_written(struct json *j, const struct page *page)
{
	json_line(j);
	json_key_open(j, "labels", '{');
	json_key_open(j, "keys", '{');
	json_key_text(j, "comm", LABEL_COMM);
	json_key_text(j, "pid", LABEL_PID);
	json_key_text(j, "tid", LABEL_TID);
	json_key_text(j, "base", LABEL_DIFF_BASE);
	json_close(j, '}');
	json_key_open(j, "sets", '[');
	json_raw(j, &page->labels_text);
	json_close(j, ']');
	json_key_open(j, "names", '[');
	json_raw(j, &page->names_text);
	json_close(j, ']');
	json_close(j, '}');
	json_line(j);
	json_key_open(j, "trees", '[');
	json_raw(j, &page->trees_text);
	json_close(j, ']');
	json_line(j);
	json_key_open(j, "lines", '{');
	json_raw(j, &page->lines_text);
	json_close(j, '}');
	json_line(j);
}

static int add_data(struct page *page, const char *title, const struct export_opts *opts)
{
	struct json *j = &page->out;
	struct buf time = {0};
	int r;

	describe_time(&time, page->p);
	r = time.err ?: add_trees(page) ?: add_lines(page) ?: add_label_sets(page);
	r = r ?: add_process_names(page) ?: find_origins(page);
	json_open(j, '{');
	json_key_text(j, "title", title);
	json_key_text(j, "time", buf_cstr(&time));
	json_key_bool(j, "asks", opts && opts->asks);
	if (opts && opts->base)
		json_key_text(j, "base", opts->base);
	buf_release(&time);
	r = r ?: add_quality(j, page->p);
	add_written(j, page);
	add_frames(j, page);
	json_line(j);
	add_strings(j, page->strings);
	json_line(j);
	add_classes(j);
	json_close(j, '}');
	buf_char(j->out, '\n');
	return r;
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
	_cleanup_(page_release) struct page page = {.p = p,
						    .strings = strtab_new(),
						    .trees = {.out = &page.trees_text},
						    .labels = {.out = &page.labels_text},
						    .names = {.out = &page.names_text},
						    .lines = {.out = &page.lines_text}};
	_cleanup_(buf_release) struct buf title = {0};
	int r = page.strings ? page_title(&title, p, opts) : -ENOMEM;

	page.out.out = out;
	if (r)
		return r;
	buf_str(out, PAGE_HEAD);
	text_add_html(out, buf_cstr(&title));
	buf_str(out, PAGE_MIDDLE);
	r = add_data(&page, buf_cstr(&title), opts);
	buf_str(out, PAGE_TAIL);
	return r ?: out->err;
}
