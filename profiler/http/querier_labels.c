// SPDX-License-Identifier: GPL-2.0-or-later
/* Which types, labels, values and series there are. */
#include <stdlib.h>
#include <string.h>

#include "profiler/base/strtab.h"
#include "profiler/http/label_sums.h"
#include "profiler/http/querier_methods.h"
#include "profiler/store/query.h"
#include "profiler/profile/profile.h"
#include "proto/querier.pb-c.h"

#define MAX_MATCHERS 16
#define MAX_NAMES    100000 /* values, series */
#define MAX_LABELS   64	    /* of a series */

/* Distinct texts, in the order in which they came. */
struct names {
	struct strtab *strings;
	VEC(char *) v; /* borrowed from it */
};

static int names_init(struct names *n)
{
	*n = (struct names){.strings = strtab_new()};
	return n->strings ? 0 : -ENOMEM;
}

static void names_release(struct names *n)
{
	strtab_free(n->strings);
	vec_release(&n->v);
}

static int names_add(struct names *n, const char *text)
{
	uint32_t id, before = strtab_count(n->strings);

	if (!*text)
		return 0;
	if (strtab_add(n->strings, text, &id))
		return -ENOMEM;
	if (id < before)
		return 0;
	return n->v.len < MAX_NAMES ? vec_push(&n->v, (char *)strtab_get(n->strings, id)) : -E2BIG;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_sort(struct names *n)
{
	if (n->v.len)
		qsort(n->v.data, n->v.len, sizeof(*n->v.data), compare);
}

/* --- types ------------------------------------------------------------------------------------- */

void querier_profile_types(struct querier *q, const ProtobufCMessage *m)
{
	Querier__ProfileTypesResponse reply = QUERIER__PROFILE_TYPES_RESPONSE__INIT;
	Querier__ProfileType types[QUERIER_TYPE_COUNT], *pointers[QUERIER_TYPE_COUNT];
	struct querier_meta meta[QUERIER_TYPE_COUNT];

	(void)m;
	for (int i = 0; i < QUERIER_TYPE_COUNT; i++) {
		querier_meta_of(&meta[i], (enum querier_type)i);
		types[i] = (Querier__ProfileType)QUERIER__PROFILE_TYPE__INIT;
		types[i].id = meta[i].id;
		types[i].name = (char *)meta[i].values[0];
		types[i].sample_type = (char *)meta[i].values[1];
		types[i].sample_unit = (char *)meta[i].values[2];
		types[i].period_type = (char *)meta[i].values[3];
		types[i].period_unit = (char *)meta[i].values[4];
		pointers[i] = &types[i];
	}
	reply.n_profile_types = QUERIER_TYPE_COUNT;
	reply.profile_types = pointers;
	querier_reply(q, &reply.base);
}

/* --- each matcher ------------------------------------------------------------------------------ */

/* What a method does with what one matcher selects. 0, -E2BIG or -ENOMEM. */
typedef int (*take_fn)(void *ctx, const struct querier_ask *a, const struct profile *p);

static bool take_one(struct querier *q, const char *matcher, int64_t start, int64_t end,
		     take_fn take, void *ctx)
{
	struct store_result result;
	struct querier_ask a;
	struct store_query query;
	int err = 0;

	if (!querier_ask(q, &a, NULL, matcher, start, end))
		return false;
	query = (struct store_query){.since_ns = a.since_ns,
				     .until_ns = a.until_ns,
				     .where = a.where,
				     .without_stacks = true};
	if (querier_wants(&a) && querier_query(q, &query, &result)) {
		err = take(ctx, &a, result.profile);
		store_result_release(&result);
	}
	querier_ask_release(&a);
	if (err == -E2BIG)
		querier_fail(q, 400, "more than %d of them: ask for less time, or select",
			     MAX_NAMES);
	else if (err)
		querier_fail(q, 500, "out of memory");
	return !q->status;
}

/* What any of them selects. */
static bool take_all(struct querier *q, char **matchers, size_t n, int64_t start, int64_t end,
		     take_fn take, void *ctx)
{
	if (n > MAX_MATCHERS) {
		querier_fail(q, 400, "at most %d matchers", MAX_MATCHERS);
		return false;
	}
	if (!n)
		return take_one(q, "", start, end, take, ctx);
	for (size_t i = 0; i < n; i++)
		if (!take_one(q, matchers[i], start, end, take, ctx))
			return false;
	return true;
}

/* --- names of labels --------------------------------------------------------------------------- */

static int take_names(void *ctx, const struct querier_ask *a, const struct profile *p)
{
	struct querier_meta meta;
	struct label_keys keys;
	int err = p->samples.len ? label_keys_of(&keys, p) : 0;

	(void)a;
	if (err || !p->samples.len)
		return err;
	querier_meta_of(&meta, QUERIER_TYPE_cpu);
	for (int i = 0; i < QUERIER_META && !err; i++)
		err = names_add(ctx, meta.names[i]);
	for (size_t i = 0; i < keys.v.len && !err; i++)
		err = names_add(ctx, keys.v.data[i]);
	vec_release(&keys.v);
	return err;
}

void querier_label_names(struct querier *q, const ProtobufCMessage *m)
{
	const Querier__LabelNamesRequest *r = (const void *)m;
	Querier__LabelNamesResponse reply = QUERIER__LABEL_NAMES_RESPONSE__INIT;
	struct names names;

	if (names_init(&names)) {
		querier_fail(q, 500, "out of memory");
		return;
	}
	if (take_all(q, r->matchers, r->n_matchers, r->start, r->end, take_names, &names)) {
		names_sort(&names);
		reply.names = names.v.data;
		reply.n_names = names.v.len;
		querier_reply(q, &reply.base);
	}
	names_release(&names);
}

/* --- values of a label ------------------------------------------------------------------------- */

struct values {
	struct names names;
	const char *key;
};

static int take_meta_values(struct values *v, const struct querier_ask *a)
{
	int err = 0;

	for (int i = 0; i < QUERIER_TYPE_COUNT && !err; i++) {
		struct querier_meta meta;

		querier_meta_of(&meta, (enum querier_type)i);
		for (int k = 0; k < QUERIER_META && a->types[i] && !err; k++)
			if (!strcmp(v->key, meta.names[k]))
				err = names_add(&v->names, meta.values[k]);
	}
	return err;
}

static int take_values(void *ctx, const struct querier_ask *a, const struct profile *p)
{
	struct values *v = ctx;
	struct label_sums sums = {0};
	int err = p->samples.len ? take_meta_values(v, a) : 0;

	err = err ?: label_sums_of(&sums, p, v->key);
	for (size_t i = 0; i < sums.v.len && !err; i++)
		err = names_add(&v->names, strtab_get(sums.strings, sums.v.data[i].value));
	label_sums_release(&sums);
	return err;
}

void querier_label_values(struct querier *q, const ProtobufCMessage *m)
{
	const Querier__LabelValuesRequest *r = (const void *)m;
	Querier__LabelValuesResponse reply = QUERIER__LABEL_VALUES_RESPONSE__INIT;
	struct values v = {.key = r->name};

	if (!*r->name) {
		querier_fail(q, 400, "name: which label?");
		return;
	}
	if (names_init(&v.names)) {
		querier_fail(q, 500, "out of memory");
		return;
	}
	if (take_all(q, r->matchers, r->n_matchers, r->start, r->end, take_values, &v)) {
		names_sort(&v.names);
		reply.names = v.names.v.data;
		reply.n_names = v.names.v.len;
		querier_reply(q, &reply.base);
	}
	names_release(&v.names);
}

/* --- series ------------------------------------------------------------------------------------ */

#define END   '\x03' /* after each name and each value: labels hold no control characters */
#define END_S "\x03"

struct series {
	struct names names; /* "NAME END VALUE END ..." */
	char **wanted;	    /* labels; none: those that make a series */
	size_t n_wanted;
	struct buf text; /* scratch */
};

static void add_label(struct series *s, const char *name, const char *value)
{
	if (value && *value)
		buf_printf(&s->text, "%s" END_S "%s" END_S, name, value);
}

static const char *meta_value(const struct querier_meta *meta, const char *name)
{
	for (int i = 0; i < QUERIER_META; i++)
		if (!strcmp(meta->names[i], name))
			return meta->values[i];
	return NULL;
}

/* Processes and threads are not what series are made of, unless they are asked for. */
static bool is_of_series(const char *key)
{
	return strcmp(key, LABEL_PID) != 0 && strcmp(key, LABEL_TID) != 0;
}

static void add_all_labels(struct series *s, const struct profile *p, uint32_t labelset,
			   const struct querier_meta *meta)
{
	const struct profile_labelset *set = &p->labelsets.data[labelset];
	char number[32];

	for (int i = 0; i < QUERIER_META; i++)
		add_label(s, meta->names[i], meta->values[i]);
	for (uint32_t i = 0; i < set->len && i < MAX_LABELS; i++) {
		const char *key = profile_text(p, p->labels.data[set->first + i].key);

		if (is_of_series(key))
			add_label(s, key, label_text(p, labelset, key, number));
	}
}

static int take_labelset(struct series *s, const struct profile *p, uint32_t labelset,
			 const struct querier_meta *meta)
{
	char number[32];

	buf_clear(&s->text);
	if (!s->n_wanted)
		add_all_labels(s, p, labelset, meta);
	for (size_t i = 0; i < s->n_wanted; i++)
		add_label(s, s->wanted[i],
			  meta_value(meta, s->wanted[i])
				  ?: label_text(p, labelset, s->wanted[i], number));
	return s->text.err ?: names_add(&s->names, buf_cstr(&s->text));
}

static int take_series(void *ctx, const struct querier_ask *a, const struct profile *p)
{
	int err = 0;

	for (int t = 0; t < QUERIER_TYPE_COUNT && !err; t++) {
		struct querier_meta meta;

		querier_meta_of(&meta, (enum querier_type)t);
		for (size_t i = 0; i < p->samples.len && a->types[t] && !err; i++)
			err = take_labelset(ctx, p, p->samples.data[i].labelset, &meta);
	}
	return err;
}

struct label_sets { /* all that a reply points to */
	Querier__Labels *sets, **set_pointers;
	Querier__LabelPair *pairs, **pair_pointers;
};

static void label_sets_release(struct label_sets *l)
{
	free(l->sets);
	free(l->set_pointers);
	free(l->pairs);
	free(l->pair_pointers);
}

static size_t count_pairs(const struct names *n)
{
	size_t ends = 0;

	for (size_t i = 0; i < n->v.len; i++)
		for (const char *c = n->v.data[i]; *c; c++)
			ends += *c == END;
	return ends / 2;
}

/* Cuts the next text off. */
static char *cut(char **at)
{
	char *text = *at, *end = strchr(text, END);

	*end = '\0';
	*at = end + 1;
	return text;
}

static int make_label_sets(struct label_sets *l, const struct names *n)
{
	size_t pairs = count_pairs(n), k = 0;

	l->sets = calloc(n->v.len + 1, sizeof(*l->sets));
	l->set_pointers = calloc(n->v.len + 1, sizeof(*l->set_pointers));
	l->pairs = calloc(pairs + 1, sizeof(*l->pairs));
	l->pair_pointers = calloc(pairs + 1, sizeof(*l->pair_pointers));
	if (!l->sets || !l->set_pointers || !l->pairs || !l->pair_pointers)
		return -ENOMEM;
	for (size_t i = 0; i < n->v.len; i++) {
		char *at = n->v.data[i];

		l->set_pointers[i] = &l->sets[i];
		l->sets[i] = (Querier__Labels)QUERIER__LABELS__INIT;
		l->sets[i].labels = &l->pair_pointers[k];
		for (; *at; k++) {
			l->pairs[k] = (Querier__LabelPair)QUERIER__LABEL_PAIR__INIT;
			l->pairs[k].name = cut(&at);
			l->pairs[k].value = cut(&at);
			l->pair_pointers[k] = &l->pairs[k];
			l->sets[i].n_labels++;
		}
	}
	return 0;
}

void querier_series(struct querier *q, const ProtobufCMessage *m)
{
	const Querier__SeriesRequest *r = (const void *)m;
	Querier__SeriesResponse reply = QUERIER__SERIES_RESPONSE__INIT;
	struct series s = {.wanted = r->label_names, .n_wanted = r->n_label_names};
	struct label_sets sets = {0};

	if (s.n_wanted > MAX_LABELS) {
		querier_fail(q, 400, "at most %d labels", MAX_LABELS);
		return;
	}
	if (names_init(&s.names)) {
		querier_fail(q, 500, "out of memory");
		return;
	}
	if (take_all(q, r->matchers, r->n_matchers, r->start, r->end, take_series, &s)) {
		names_sort(&s.names);
		if (make_label_sets(&sets, &s.names)) {
			querier_fail(q, 500, "out of memory");
		} else {
			reply.labels_set = sets.set_pointers;
			reply.n_labels_set = s.names.v.len;
			querier_reply(q, &reply.base);
		}
	}
	label_sets_release(&sets);
	names_release(&s.names);
	buf_release(&s.text);
}
