// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/config_doc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"

struct config_doc {
	VEC(struct doc_node *) nodes; /* all of them, to be freed */
	struct doc_node *root;
};

DEFINE_CLEANUP(config_doc, config_doc_free)

struct builder {
	struct config_doc *doc;
	const char *source, *data;
	struct config_errors *errs;
	yaml_parser_t parser;
	struct doc_node *open[CONFIG_MAX_DEPTH]; /* maps and lists, the outermost first */
	size_t depth;
	struct doc_node *key; /* of the innermost map, while its value is to come */
	size_t n_documents;
};

void config_doc_free(struct config_doc *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->nodes.len; i++) {
		text_wipe(d->nodes.data[i]->text);
		free(d->nodes.data[i]->text);
		free(d->nodes.data[i]);
	}
	vec_release(&d->nodes);
	free(d);
}

const struct doc_node *config_doc_root(const struct config_doc *d)
{
	return d->root;
}

bool doc_is_empty(const struct doc_node *n)
{
	return n->kind == DOC_SCALAR && n->is_plain &&
	       (!*n->text || !strcmp(n->text, "~") || !strcmp(n->text, "null"));
}

const char *doc_kind_name(const struct doc_node *n)
{
	if (n->kind != DOC_SCALAR)
		return n->kind == DOC_MAP ? "a map" : "a list";
	return doc_is_empty(n) ? "nothing" : "a value";
}

/* --- before the parser ------------------------------------------------------------------------- */

static struct config_place place_of(const char *source, const char *data, size_t off)
{
	struct config_place at = {.source = source, .line = 1, .column = 1};

	for (size_t i = 0; i < off; i++) {
		if (data[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if ((data[i] & 0xc0) != 0x80) { /* columns are characters */
			at.column++;
		}
	}
	return at;
}

/* The parser's own words for these are not for people; and it would take UTF-16, too. */
static int check_bytes(const char *source, const char *data, size_t len, struct config_errors *errs)
{
	struct config_place at = {.source = source};
	const char *nul;
	size_t good;

	if (len > CONFIG_MAX_BYTES) {
		config_error(errs, &at, "larger than %u KiB", CONFIG_MAX_BYTES >> 10);
		return -EBADMSG;
	}
	nul = memchr(data, '\0', len);
	good = text_utf8_run(data, len);
	if (nul && (size_t)(nul - data) <= good) {
		at = place_of(source, data, (size_t)(nul - data));
		config_error(errs, &at, "a NUL byte");
		return -EBADMSG;
	}
	if (good < len) {
		at = place_of(source, data, good);
		config_error(errs, &at, "not UTF-8: byte 0x%02x", (unsigned char)data[good]);
		return -EBADMSG;
	}
	return 0;
}

/* --- the tree ---------------------------------------------------------------------------------- */

static struct config_place mark_place(const struct builder *b, const yaml_mark_t *mark)
{
	return (struct config_place){
		.source = b->source,
		.line = (uint32_t)mark->line + 1,
		.column = (uint32_t)mark->column + 1,
	};
}

#define refuse(b, event, ...)                                                                      \
	__extension__({                                                                            \
		struct config_place _at = mark_place(b, &(event)->start_mark);                     \
		config_error((b)->errs, &_at, __VA_ARGS__);                                        \
		-EBADMSG;                                                                          \
	})

static int new_node(struct builder *b, const yaml_event_t *e, enum doc_kind kind,
		    struct doc_node **out)
{
	struct doc_node *n;

	if (b->doc->nodes.len >= CONFIG_MAX_NODES)
		return refuse(b, e, "more than %d values", CONFIG_MAX_NODES);
	n = calloc(1, sizeof(*n));
	if (!n || vec_push(&b->doc->nodes, n)) {
		free(n);
		return -ENOMEM;
	}
	n->kind = kind;
	n->at = mark_place(b, &e->start_mark);
	*out = n;
	return 0;
}

/* Where the document has it: the root, a key, the value of a key, or an item of a list. */
static int attach(struct builder *b, const yaml_event_t *e, struct doc_node *n)
{
	struct doc_node *parent = b->depth ? b->open[b->depth - 1] : NULL;

	if (!parent) {
		b->doc->root = n;
		return 0;
	}
	if (parent->kind == DOC_MAP && !b->key && n->kind != DOC_SCALAR)
		return refuse(b, e, "a key cannot be %s", doc_kind_name(n));
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	b->key = parent->kind == DOC_MAP && !b->key ? n : NULL;
	return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *e)
{
	struct doc_node *n;
	const char *text = (const char *)e->data.scalar.value;
	int err;

	if (strlen(text) != e->data.scalar.length)
		return refuse(b, e, "a NUL byte");
	err = new_node(b, e, DOC_SCALAR, &n);
	if (err)
		return err;
	n->is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->is_block = e->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
		      e->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
	n->text = strdup(text);
	return n->text ? attach(b, e, n) : -ENOMEM;
}

static int on_start(struct builder *b, const yaml_event_t *e, enum doc_kind kind)
{
	struct doc_node *n;
	int err;

	if (b->depth == CONFIG_MAX_DEPTH)
		return refuse(b, e, "more than %d levels deep", CONFIG_MAX_DEPTH);
	err = new_node(b, e, kind, &n) ?: attach(b, e, n);
	if (err)
		return err;
	b->open[b->depth++] = n;
	b->key = NULL;
	return 0;
}

static int check_properties(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor,
			    const yaml_char_t *tag)
{
	if (anchor)
		return refuse(b, e, "anchors are not supported: write the value out");
	if (tag)
		return refuse(b, e, "tags are not supported");
	return 0;
}

static int on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->n_documents++)
			return refuse(b, e, "a second document: a file has one");
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(b, e, "aliases are not supported: write the value out");
	case YAML_SCALAR_EVENT:
		return check_properties(b, e, e->data.scalar.anchor, e->data.scalar.tag)
			       ?: on_scalar(b, e);
	case YAML_MAPPING_START_EVENT:
		return check_properties(b, e, e->data.mapping_start.anchor,
					e->data.mapping_start.tag)
			       ?: on_start(b, e, DOC_MAP);
	case YAML_SEQUENCE_START_EVENT:
		return check_properties(b, e, e->data.sequence_start.anchor,
					e->data.sequence_start.tag)
			       ?: on_start(b, e, DOC_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		b->depth--;
		b->key = NULL;
		return 0;
	default:
		return 0;
	}
}

/* Whether a line has a tab where its text should begin, up to the place of the problem. */
static bool is_indented_by_tab(const struct builder *b, size_t len, const yaml_mark_t *mark)
{
	const char *line = b->data, *end = b->data + len;

	for (size_t i = 0; i < mark->line && line; i++) {
		line = memchr(line, '\n', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	while (line && line < end && *line == ' ')
		line++;
	return line && line < end && *line == '\t';
}

static int say_syntax(struct builder *b, size_t len)
{
	const yaml_parser_t *p = &b->parser;
	struct config_place at = mark_place(b, &p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR)
		at = place_of(b->source, b->data,
			      p->problem_offset < len ? p->problem_offset : len);
	if (is_indented_by_tab(b, len, &p->problem_mark))
		config_error(b->errs, &at, "not YAML: indent with spaces, not tabs");
	else if (p->context)
		config_error(b->errs, &at, "not YAML: %s, %s that begins in line %zu", p->problem,
			     p->context, p->context_mark.line + 1);
	else
		config_error(b->errs, &at, "not YAML: %s", p->problem ?: "unknown problem");
	return -EBADMSG;
}

/* Values may be secrets. libyaml keeps what it has read in two buffers, and each scalar in its event. */
static void wipe_event(yaml_event_t *e)
{
	if (e->type == YAML_SCALAR_EVENT && e->data.scalar.value)
		explicit_bzero(e->data.scalar.value, e->data.scalar.length);
}

static void wipe_parser(yaml_parser_t *p)
{
	if (p->buffer.start)
		explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
	if (p->raw_buffer.start)
		explicit_bzero(p->raw_buffer.start,
			       (size_t)(p->raw_buffer.end - p->raw_buffer.start));
}

static int build(struct builder *b, size_t len)
{
	int err = 0;

	for (bool over = false; !over && !err;) {
		yaml_event_t e;

		if (!yaml_parser_parse(&b->parser, &e))
			return say_syntax(b, len);
		over = e.type == YAML_STREAM_END_EVENT;
		err = on_event(b, &e);
		wipe_event(&e);
		yaml_event_delete(&e);
	}
	return err;
}

int config_doc_parse(struct config_doc **out, const char *source, const void *data, size_t len,
		     struct config_errors *errs)
{
	_cleanup_(config_doc_freep) struct config_doc *d = NULL;
	struct builder b = {.source = source, .data = data, .errs = errs};
	int err;

	if (len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3)) {
		b.data += 3;
		len -= 3;
	}
	err = check_bytes(source, b.data, len, errs);
	if (err)
		return err;
	b.doc = d = calloc(1, sizeof(*d));
	if (!d || !yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)b.data, len);
	err = build(&b, len);
	wipe_parser(&b.parser);
	yaml_parser_delete(&b.parser);
	if (!err)
		*out = steal_ptr(d);
	return err;
}
