// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "profiler/agent/config.h"
#include "profiler/agent/config_values.h"
#include "profiler/base/buf.h"
#include "profiler/base/text.h"

struct printer {
	struct buf *out;
	bool plain, reveals; /* reveals: secrets, too */
	char section[64];    /* the maps that are open, "http.tls." */
};

static void indent(const struct printer *p, size_t levels)
{
	for (size_t i = 0; i < levels; i++)
		buf_str(p->out, "  ");
}

static size_t count_dots(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '.';
	return n;
}

/* Opens the maps of a key that are not open yet, and returns its level. */
static size_t open_sections(struct printer *p, const char *name)
{
	const char *last = strrchr(name, '.');
	size_t len = last ? (size_t)(last + 1 - name) : 0, from = 0;

	if (strlen(p->section) == len && !strncmp(p->section, name, len))
		return count_dots(name);
	/* What both begin with is open already. */
	for (size_t i = 0; i < len && p->section[i] == name[i]; i++)
		if (name[i] == '.')
			from = i + 1;
	for (const char *s = name + from; last && s <= last; s += strcspn(s, ".") + 1) {
		size_t level = 0;

		for (const char *c = name; c < s; c++)
			level += *c == '.';
		indent(p, level);
		buf_printf(p->out, "%.*s:\n", (int)strcspn(s, "."), s);
	}
	snprintf(p->section, sizeof(p->section), "%.*s", (int)len, name);
	return count_dots(name);
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static void print_place(const struct printer *p, const struct config_place *at)
{
	if (!p->plain) {
		const char *source = at->source ?: "default";

		buf_str(p->out, "  # ");
		text_add_clean(p->out, source, strlen(source)); /* a path may hold anything */
		if (at->line)
			buf_printf(p->out, ":%u", at->line);
	}
	buf_char(p->out, '\n');
}

static void print_pairs(const struct printer *p, size_t level, const struct config_key *k,
			const struct config_pairs *pairs)
{
	indent(p, level);
	buf_printf(p->out, "%s:\n", last_part(k->name));
	for (size_t i = 0; i < pairs->list.len; i++) {
		const struct config_pair *pair = &pairs->list.data[i];

		indent(p, level + 1);
		config_text_print(p->out, pair->name);
		buf_str(p->out, ": ");
		config_text_print(p->out, k->secret && !p->reveals ? CONFIG_REDACTED : pair->value);
		print_place(p, &pair->at);
	}
}

/* "[a, b]" */
static void print_list(const struct printer *p, const struct config_names *names)
{
	buf_char(p->out, '[');
	for (size_t i = 0; i < names->list.len; i++) {
		buf_str(p->out, i ? ", " : "");
		config_text_print(p->out, names->list.data[i]);
	}
	buf_char(p->out, ']');
}

static void print_names(const struct printer *p, size_t level, const struct config_key *k,
			const struct config_names *names, const struct config_place *at)
{
	indent(p, level);
	buf_printf(p->out, "%s: ", last_part(k->name));
	print_list(p, names);
	print_place(p, at);
}

static const struct config_names *names_of(const struct config_key *k, const void *item)
{
	return (const void *)((const char *)item + k->offset);
}

static bool is_item_set(const struct config_key *k, const void *item)
{
	return k->type == TYPE_LABELS ? names_of(k, item)->list.len : config_value_is_set(k, item);
}

/* The keys of one item, the first behind a dash. */
static void print_item(const struct printer *p, const struct config_schema *s, const void *item,
		       const struct config_place *at)
{
	bool first = true;

	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];

		if (k->type == TYPE_HEADERS) {
			const struct config_pairs *pairs =
				(const void *)((const char *)item + k->offset);

			if (pairs->list.len)
				print_pairs(p, 2, k, pairs);
			continue;
		}
		if (!is_item_set(k, item))
			continue;
		buf_printf(p->out, "  %s %s: ", first ? "-" : " ", k->name);
		if (k->type == TYPE_LABELS)
			print_list(p, names_of(k, item));
		else
			config_value_print(p->out, k, item);
		if (first)
			print_place(p, at);
		else
			buf_char(p->out, '\n');
		first = false;
	}
}

static bool is_set(const struct config *c, const struct config_key *k)
{
	switch (k->type) {
	case TYPE_NAMES:
		return c->http_hosts.list.len;
	case TYPE_PAIRS:
		return c->labels.list.len;
	case TYPE_RELABELS:
		return c->relabel.len;
	case TYPE_UPLOADS:
		return c->upload.len;
	default:
		return config_value_is_set(k, c);
	}
}

static void print_key(struct printer *p, const struct config *c, const struct config_key *k,
		      const struct config_place *at)
{
	size_t level = open_sections(p, k->name);

	switch (k->type) {
	case TYPE_NAMES:
		print_names(p, level, k, &c->http_hosts, at);
		break;
	case TYPE_PAIRS:
		print_pairs(p, level, k, &c->labels);
		break;
	case TYPE_RELABELS:
		buf_printf(p->out, "%s:\n", k->name);
		for (size_t i = 0; i < c->relabel.len; i++)
			print_item(p, &config_relabel_schema, &c->relabel.data[i],
				   &c->relabel.data[i].at);
		break;
	case TYPE_UPLOADS:
		buf_printf(p->out, "%s:\n", k->name);
		for (size_t i = 0; i < c->upload.len; i++)
			print_item(p, &config_upload_schema, &c->upload.data[i],
				   &c->upload.data[i].at);
		break;
	default:
		indent(p, level);
		buf_printf(p->out, "%s: ", last_part(k->name));
		config_value_print(p->out, k, c);
		print_place(p, at);
	}
}

void config_print(struct buf *out, const struct config *c, bool plain)
{
	struct printer p = {.out = out, .plain = plain};

	for (size_t i = 0; i < config_schema.n; i++)
		if (is_set(c, &config_schema.keys[i]))
			print_key(&p, c, &config_schema.keys[i], &c->places[i]);
}

/* What a key comes to: only to be compared. */
static const char *key_text(struct buf *out, const struct config *c, size_t key)
{
	const struct config_key *k = &config_schema.keys[key];
	struct printer p = {.out = out, .plain = true, .reveals = true};

	if (is_set(c, k))
		print_key(&p, c, k, &c->places[key]);
	return buf_cstr(out);
}

static bool differs(const struct config *a, const struct config *b, size_t key)
{
	struct buf before = {0}, after = {0};
	bool yes = strcmp(key_text(&before, a, key), key_text(&after, b, key)) != 0;

	buf_release(&before);
	buf_release(&after);
	return yes;
}

bool config_differs(const struct config *a, const struct config *b, const enum config_key_id *keys,
		    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (differs(a, b, keys[i]))
			return true;
	return false;
}

void config_changes(struct buf *out, const struct config *before, const struct config *after)
{
	size_t n = 0;

	for (size_t i = 0; i < config_schema.n; i++)
		if (differs(before, after, i))
			buf_printf(out, "%s%s", n++ ? ", " : "", config_schema.keys[i].name);
}
