// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/config_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/config_doc.h"
#include "profiler/agent/config_values.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/suggest.h"
#include "profiler/base/text.h"

#define KEY_MAX 64 /* longer than any key's name */

/* Labels that kiln sets itself. */
static const char *const own_labels[] = {"pid",	 "thread_id", "comm",	 "executable",	"cgroup",
					 "unit", "container", "pod_uid", "service_name"};

struct reader {
	struct config *config;
	struct config_errors *errs;
};

static int finish(const struct reader *r, size_t n_before, int err)
{
	return err ?: r->errs->text.err ?: r->errs->n > n_before ? -EBADMSG : 0;
}

/* --- single values ----------------------------------------------------------------------------- */

/* Says what is wrong with a value, after the name of its key. */
static int say(const struct reader *r, const struct config_place *at, const char *key,
	       struct buf *why, int err)
{
	if (err == -EINVAL)
		config_error(r->errs, at, "%s: %s", key, buf_cstr(why));
	buf_release(why);
	return err == -EINVAL ? 0 : err;
}

static int set_value(const struct reader *r, const struct config_key *k, void *base,
		     const char *text, const struct config_place *at)
{
	struct buf why = {0};

	return say(r, at, k->name, &why, config_value_set(k, base, text, &why));
}

static int read_scalar(const struct reader *r, const struct config_key *k, void *base,
		       const struct doc_node *n)
{
	if (n->kind == DOC_SCALAR && !doc_is_empty(n))
		return set_value(r, k, base, n->text, &n->at);
	config_error(r->errs, &n->at, "%s: wants a value, and there is %s", k->name,
		     doc_kind_name(n));
	return 0;
}

/* --- names ------------------------------------------------------------------------------------- */

static int add_name(const struct reader *r, const struct config_key *k, void *base,
		    const char *text, const struct config_place *at)
{
	struct config_names *names = (void *)((char *)base + k->offset);
	struct buf why = {0};
	int err = k->type == TYPE_LABELS ? config_check_label(text, &why)
					 : config_check_host(text, &why);
	char *copy;

	if (!err && names->list.len >= k->most) {
		buf_printf(&why, "more than %llu", (unsigned long long)k->most);
		err = -EINVAL;
	}
	if (err)
		return say(r, at, k->name, &why, err);
	copy = strdup(text);
	if (copy && !vec_push(&names->list, copy))
		return 0;
	free(copy);
	return -ENOMEM;
}

static int read_names(const struct reader *r, const struct config_key *k, void *base,
		      const struct doc_node *n)
{
	int err = 0;

	if (doc_is_empty(n))
		return 0;
	if (n->kind == DOC_SCALAR)
		return add_name(r, k, base, n->text, &n->at);
	if (n->kind != DOC_LIST) {
		config_error(r->errs, &n->at, "%s: wants a list, and there is a map", k->name);
		return 0;
	}
	for (const struct doc_node *i = n->first; i && !err && !config_errors_full(r->errs);
	     i = i->next) {
		if (i->kind == DOC_SCALAR)
			err = add_name(r, k, base, i->text, &i->at);
		else
			config_error(r->errs, &i->at, "%s: wants a name, and there is %s", k->name,
				     doc_kind_name(i));
	}
	return err;
}

/* --- pairs ------------------------------------------------------------------------------------- */

static int check_pair(const struct config_key *k, const char *name, const char *value,
		      struct buf *why)
{
	if (k->type == TYPE_HEADERS)
		return config_check_header(name, value, why);
	for (size_t i = 0; i < sizeof(own_labels) / sizeof(*own_labels); i++) {
		if (!strcmp(name, own_labels[i])) {
			buf_printf(why, "\"%s\" is a label that kiln sets itself", name);
			return -EINVAL;
		}
	}
	return config_check_label(name, why) ?: config_check_text(value, 1, CONFIG_MAX_TEXT, why);
}

static int put_pair(struct config_pairs *pairs, const char *name, const char *value,
		    const struct config_place *at)
{
	struct config_pair p = {.at = *at, .name = strdup(name), .value = strdup(value)};

	for (size_t i = 0; p.name && p.value && i < pairs->list.len; i++) {
		if (!strcmp(pairs->list.data[i].name, name)) {
			text_wipe(pairs->list.data[i].value);
			free(pairs->list.data[i].value);
			free(p.name);
			pairs->list.data[i].value = p.value;
			pairs->list.data[i].at = *at;
			return 0;
		}
	}
	if (p.name && p.value && !vec_push(&pairs->list, p))
		return 0;
	free(p.name);
	free(p.value);
	return -ENOMEM;
}

static int add_pair(const struct reader *r, const struct config_key *k, void *base,
		    const char *name, const char *value, const struct config_place *at)
{
	struct config_pairs *pairs = (void *)((char *)base + k->offset);
	struct buf why = {0};
	int err = check_pair(k, name, value, &why);

	if (!err && pairs->list.len >= k->most) {
		buf_printf(&why, "more than %llu", (unsigned long long)k->most);
		err = -EINVAL;
	}
	if (err == -EINVAL) {
		/* A secret's value is not shown, whatever is wrong with it. */
		config_error(r->errs, at, "%s: %.80s: %s", k->name, name, buf_cstr(&why));
		err = 0;
	} else if (!err) {
		err = put_pair(pairs, name, value, at);
	}
	buf_release(&why);
	return err;
}

/* --- maps -------------------------------------------------------------------------------------- */

/* "duplicate key" for one that came before in the same map. */
static bool is_duplicate(const struct reader *r, const struct doc_node *map,
			 const struct doc_node *key)
{
	for (const struct doc_node *k = map->first; k != key; k = k->next->next) {
		if (!strcmp(k->text, key->text)) {
			config_error(r->errs, &key->at,
				     "duplicate key \"%.80s\" (first in line %u)", key->text,
				     k->at.line);
			return true;
		}
	}
	return false;
}

static int read_pairs(const struct reader *r, const struct config_key *k, void *base,
		      const struct doc_node *n)
{
	int err = 0;

	if (doc_is_empty(n))
		return 0;
	if (n->kind != DOC_MAP) {
		config_error(r->errs, &n->at, "%s: wants a map, and there is %s", k->name,
			     doc_kind_name(n));
		return 0;
	}
	for (const struct doc_node *key = n->first; key && !err && !config_errors_full(r->errs);
	     key = key->next->next) {
		const struct doc_node *value = key->next;

		if (is_duplicate(r, n, key))
			continue;
		if (value->kind == DOC_SCALAR && !doc_is_empty(value))
			err = add_pair(r, k, base, key->text, value->text, &key->at);
		else
			config_error(r->errs, &value->at,
				     "%s: %.80s: wants a text, and there is %s", k->name, key->text,
				     doc_kind_name(value));
	}
	return err;
}

static int read_items(const struct reader *r, const struct config_key *k, const struct doc_node *n);

static int read_value(const struct reader *r, const struct config_key *k, void *base,
		      const struct doc_node *n)
{
	switch (k->type) {
	case TYPE_NAMES:
	case TYPE_LABELS:
		return read_names(r, k, base, n);
	case TYPE_PAIRS:
	case TYPE_HEADERS:
		return read_pairs(r, k, base, n);
	case TYPE_RELABELS:
	case TYPE_UPLOADS:
		return read_items(r, k, n);
	default:
		return read_scalar(r, k, base, n);
	}
}

/* The next part of a key's name behind what is known of it, NULL if it does not begin like that. */
static const char *part_behind(const struct config_key *k, const char *prefix, char *part)
{
	size_t n = strlen(prefix);

	if (strncmp(k->name, prefix, n) != 0)
		return NULL;
	snprintf(part, KEY_MAX, "%.*s", (int)strcspn(k->name + n, "."), k->name + n);
	return k->name + n + strlen(part);
}

/* A key of this name that has its place elsewhere, or NULL. */
static const char *same_name_elsewhere(const struct config_schema *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *last = strrchr(s->keys[i].name, '.');

		if (last && (!strcmp(last + 1, name) || !strcmp(s->keys[i].name, name)))
			return s->keys[i].name;
	}
	return NULL;
}

static void say_unknown(const struct reader *r, const struct config_schema *s, const char *prefix,
			const struct doc_node *key)
{
	const char *elsewhere = same_name_elsewhere(s, key->text);
	char part[KEY_MAX], best[KEY_MAX] = "";
	size_t distance = SIZE_MAX;
	struct buf hint = {0};

	for (size_t i = 0; i < s->n && !elsewhere; i++) {
		struct suggest near = {.typed = key->text};

		if (!part_behind(&s->keys[i], prefix, part))
			continue;
		suggest_consider(&near, part);
		if (near.best && near.distance < distance) {
			snprintf(best, sizeof(best), "%s", part);
			distance = near.distance;
		}
	}
	if (elsewhere)
		buf_printf(&hint, " (did you mean \"%s\" below \"%.*s\"?)",
			   strrchr(elsewhere, '.') + 1, (int)(strrchr(elsewhere, '.') - elsewhere),
			   elsewhere);
	else if (best[0])
		buf_printf(&hint, " (did you mean \"%s\"?)", best);
	config_error(r->errs, &key->at, "unknown key \"%s%.80s\"%s", prefix, key->text,
		     buf_cstr(&hint));
	buf_release(&hint);
}

static int read_map(const struct reader *r, const struct config_schema *s, const char *prefix,
		    void *base, const struct doc_node *map);

/* One key of a map: a key of the schema, or what several of them begin with. */
static int read_key(const struct reader *r, const struct config_schema *s, const char *prefix,
		    void *base, const struct doc_node *key)
{
	char part[KEY_MAX], below[KEY_MAX + 1];

	for (size_t i = 0; i < s->n; i++) {
		const char *behind = part_behind(&s->keys[i], prefix, part);

		if (!behind || strcmp(part, key->text) != 0)
			continue;
		if (!*behind) {
			if (s == &config_schema)
				r->config->places[i] = key->at;
			return read_value(r, &s->keys[i], base, key->next);
		}
		snprintf(below, sizeof(below), "%s%s.", prefix, part);
		if (key->next->kind == DOC_MAP)
			return read_map(r, s, below, base, key->next);
		if (!doc_is_empty(key->next))
			config_error(r->errs, &key->next->at, "%s%s: wants a map, and there is %s",
				     prefix, part, doc_kind_name(key->next));
		return 0;
	}
	say_unknown(r, s, prefix, key);
	return 0;
}

static int read_map(const struct reader *r, const struct config_schema *s, const char *prefix,
		    void *base, const struct doc_node *map)
{
	int err = 0;

	for (const struct doc_node *key = map->first; key && !err && !config_errors_full(r->errs);
	     key = key->next->next) {
		if (!is_duplicate(r, map, key))
			err = read_key(r, s, prefix, base, key);
	}
	return err;
}

/* --- lists of maps ----------------------------------------------------------------------------- */

static int read_relabel(const struct reader *r, const struct doc_node *n)
{
	struct config_relabel rule = {.action = -1, .at = n->at};

	/* It is freed with the configuration, whatever is wrong with it. */
	if (vec_push(&r->config->relabel, rule))
		return -ENOMEM;
	return read_map(r, &config_relabel_schema, "", &vec_last(&r->config->relabel), n);
}

static int read_upload(const struct reader *r, const struct doc_node *n)
{
	struct config_upload upload = {.at = n->at};

	if (vec_push(&r->config->upload, upload) ||
	    config_set_defaults(&config_upload_schema, &vec_last(&r->config->upload)))
		return -ENOMEM;
	return read_map(r, &config_upload_schema, "", &vec_last(&r->config->upload), n);
}

static int read_items(const struct reader *r, const struct config_key *k, const struct doc_node *n)
{
	size_t have = k->type == TYPE_RELABELS ? r->config->relabel.len : r->config->upload.len;
	int err = 0;

	if (doc_is_empty(n))
		return 0;
	if (n->kind != DOC_LIST) {
		config_error(r->errs, &n->at, "%s: wants a list, and there is %s", k->name,
			     doc_kind_name(n));
		return 0;
	}
	for (const struct doc_node *i = n->first; i && !err && !config_errors_full(r->errs);
	     i = i->next, have++) {
		if (have >= k->most) {
			config_error(r->errs, &i->at, "%s: more than %llu", k->name,
				     (unsigned long long)k->most);
			return 0;
		}
		if (i->kind != DOC_MAP)
			config_error(r->errs, &i->at, "%s: wants a map, and there is %s", k->name,
				     doc_kind_name(i));
		else
			err = k->type == TYPE_RELABELS ? read_relabel(r, i) : read_upload(r, i);
	}
	return err;
}

/* --- the door ---------------------------------------------------------------------------------- */

int config_read_doc(struct config *c, const struct doc_node *root, struct config_errors *errs)
{
	struct reader r = {c, errs};
	size_t n = errs->n;

	if (!root || doc_is_empty(root))
		return 0;
	if (root->kind != DOC_MAP) {
		config_error(errs, &root->at, "wants a map of keys, and there is %s",
			     doc_kind_name(root));
		return -EBADMSG;
	}
	return finish(&r, n, read_map(&r, &config_schema, "", c, root));
}

static int read_part(const struct reader *r, const struct config_key *k, char *part,
		     const struct config_place *at)
{
	char *value = strchr(part, '=');

	if (k->type == TYPE_NAMES)
		return add_name(r, k, r->config, part, at);
	if (value) {
		*value = '\0';
		return add_pair(r, k, r->config, part, value + 1, at);
	}
	config_error(r->errs, at, "%s: wants NAME=VALUE,..., not \"%.80s\"", k->name, part);
	return 0;
}

int config_read_text(struct config *c, enum config_key_id key, const char *text,
		     const struct config_place *at, struct config_errors *errs)
{
	const struct config_key *k = &config_schema.keys[key];
	struct reader r = {c, errs};
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *part;
	size_t n = errs->n;
	int err = copy ? 0 : -ENOMEM;

	c->places[key] = *at;
	if (k->type == TYPE_RELABELS || k->type == TYPE_UPLOADS)
		config_error(errs, at, "%s is set in a file only", k->name);
	else if (config_is_scalar(k->type))
		err = err ?: set_value(&r, k, c, text, at);
	else
		while (!err && (part = strsep(&rest, ",")))
			err = read_part(&r, k, part, at);
	return finish(&r, n, err);
}
