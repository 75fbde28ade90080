// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "profiler/base/hash.h"
#include "profiler/base/saturate.h"
#include "profiler/base/sort.h"
#include "profiler/base/version.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/otlp.h"
#include "profiler/upload/otlp_dictionary.h"
#include "profiler/upload/otlp_resource.h"
#include "proto/otlp.pb-c.h"
#include "proto/wire.h"

/* Numbers of fields in proto/otlp.proto; test_otlp compares them with its descriptors. */
enum {
	REQUEST_RESOURCE_PROFILES = 1,
	REQUEST_DICTIONARY = 2,
	RESOURCE_RESOURCE = 1,
	RESOURCE_SCOPE_PROFILES = 2,
	SCOPE_SCOPE = 1,
	SCOPE_PROFILES = 2,
	PROFILE_SAMPLES = 2,
};

/* Of a Sample with tags, lengths, a stack and a value; of each of its attributes; and of what stands around them:
 * a Profile and a ResourceProfiles without texts. */
#define SAMPLE_BYTES	32
#define ATTRIBUTE_BYTES 64
#define HEADER_BYTES	512

struct group { /* samples of one resource */
	struct buf resource;
};

struct point { /* a sample of the Profile that is being made */
	int32_t stack;
	uint32_t attributes; /* in encoder.sets */
	int64_t value;
};

struct encoder {
	const struct profile *p;
	struct otlp_opts o;
	struct otlp_dictionary *dictionary;
	/* Of the whole profile: */
	VEC(struct group) groups;
	struct htab group_index;
	struct strtab *set_keys;	/* attributes of samples, as a text */
	VEC(uint32_t) sets;		/* by its id: a label set that has these attributes */
	VEC(uint32_t) group_of, set_of; /* by label set */
	struct htab text_index;		/* label sets by their texts */
	uint64_t seed;
	VEC(struct sort_item) rows; /* samples by group and stack */
	size_t header_bytes;
	uint64_t n_profiles;
	/* Of the request that is being made: */
	struct buf done;     /* its fields ResourceProfiles */
	struct buf profiles; /* of the group that is being written: fields Profile */
	size_t group, type;
	struct otlp_request request; /* but for its body */
	/* Of the Profile that is being made: */
	VEC(struct point) points;
	struct htab point_index;
	size_t attribute_bytes;
	VEC(int32_t) attributes; /* scratch */
};

static void encoder_release(struct encoder *e)
{
	otlp_dictionary_free(e->dictionary);
	for (size_t i = 0; i < e->groups.len; i++)
		buf_release(&e->groups.data[i].resource);
	vec_release(&e->groups);
	htab_release(&e->group_index);
	htab_release(&e->text_index);
	strtab_free(e->set_keys);
	vec_release(&e->sets);
	vec_release(&e->group_of);
	vec_release(&e->set_of);
	vec_release(&e->rows);
	buf_release(&e->done);
	buf_release(&e->profiles);
	vec_release(&e->points);
	htab_release(&e->point_index);
	vec_release(&e->attributes);
}

/* --- groups, and the order of samples ------------------------------------------------------------ */

struct group_needle {
	const struct encoder *e;
	const struct buf *resource;
};

static bool group_eq(const void *ctx, uint32_t id)
{
	const struct group_needle *n = ctx;
	const struct buf *b = &n->e->groups.data[id].resource;

	return b->len == n->resource->len && !memcmp(b->data, n->resource->data, b->len);
}

static int add_group(struct encoder *e, struct group *g, uint32_t *id)
{
	uint64_t hash = hash_bytes(g->resource.data, g->resource.len, 0);
	struct group_needle n = {e, &g->resource};
	int err;

	*id = htab_find(&e->group_index, hash, group_eq, &n);
	if (*id != HTAB_NONE)
		return 0;
	*id = (uint32_t)e->groups.len;
	err = htab_insert(&e->group_index, hash, *id) ?: vec_push(&e->groups, *g);
	if (!err)
		*g = (struct group){0};
	return err;
}

static int find_group(struct encoder *e, uint32_t labelset, uint32_t *id)
{
	struct group g = {0};
	int err;

	otlp_resource_put(&g.resource, e->p, labelset, e->o.host);
	err = g.resource.err ?: add_group(e, &g, id);
	buf_release(&g.resource);
	return err;
}

/* Texts of labels have no line ends. */
static int find_set(struct encoder *e, uint32_t labelset, uint32_t *id)
{
	const struct profile_labelset *set = &e->p->labelsets.data[labelset];
	struct buf key = {0};
	int err;

	for (uint32_t i = 0; i < set->len; i++) {
		const struct profile_label *l = &e->p->labels.data[set->first + i];

		if (otlp_label_is_of_sample(e->p, l))
			buf_printf(&key, "%s\n%s\n", profile_text(e->p, l->key),
				   profile_text(e->p, l->str));
	}
	err = key.err ?: strtab_add_n(e->set_keys, buf_cstr(&key), key.len, id);
	buf_release(&key);
	if (!err && *id == e->sets.len)
		err = vec_push(&e->sets, labelset);
	return err;
}

/* --- label sets: most differ from another one in numbers alone, which stay at home ---------------- */

/* The next label with a text, from i on; NULL: there is none. */
static const struct profile_label *next_text(const struct profile *p,
					     const struct profile_labelset *set, uint32_t *i)
{
	while (*i < set->len) {
		const struct profile_label *l = &p->labels.data[set->first + (*i)++];

		if (l->str != PROFILE_NONE)
			return l;
	}
	return NULL;
}

static uint64_t hash_texts(const struct profile *p, uint32_t labelset, uint64_t seed)
{
	const struct profile_label *l;
	uint64_t hash = seed;
	uint32_t i = 0;

	while ((l = next_text(p, &p->labelsets.data[labelset], &i)))
		hash = hash_mix(hash, (uint64_t)l->key << 32 | l->str);
	return hash;
}

struct text_needle {
	const struct profile *p;
	uint32_t labelset;
};

static bool texts_eq(const void *ctx, uint32_t id)
{
	const struct text_needle *n = ctx;
	const struct profile_labelset *a = &n->p->labelsets.data[n->labelset],
				      *b = &n->p->labelsets.data[id];
	const struct profile_label *la, *lb;
	uint32_t i = 0, j = 0;

	do {
		la = next_text(n->p, a, &i);
		lb = next_text(n->p, b, &j);
	} while (la && lb && la->key == lb->key && la->str == lb->str);
	return !la && !lb;
}

static int find_labelset(struct encoder *e, uint32_t id)
{
	struct text_needle n = {e->p, id};
	uint64_t hash = hash_texts(e->p, id, e->seed);
	uint32_t same = htab_find(&e->text_index, hash, texts_eq, &n);

	if (same == HTAB_NONE)
		return htab_insert(&e->text_index, hash, id) ?:
		       find_group(e, id, &e->group_of.data[id]) ?:
		       find_set(e, id, &e->set_of.data[id]);
	e->group_of.data[id] = e->group_of.data[same];
	e->set_of.data[id] = e->set_of.data[same];
	return 0;
}

static int find_groups(struct encoder *e)
{
	size_t n = e->p->labelsets.len;
	int err = 0;

	e->set_keys = strtab_new();
	if (!e->set_keys || vec_push(&e->sets, PROFILE_NONE)) /* id 0: no attributes */
		return -ENOMEM;
	if (vec_reserve(&e->group_of, n) || vec_reserve(&e->set_of, n))
		return -ENOMEM;
	for (uint32_t i = 0; !err && i < n; i++)
		err = find_labelset(e, i);
	return err;
}

/* By frames from the root on: what is called from the same place lies together, and compresses well. */
static int compare_stacks(const void *pa, const void *pb, void *ctx)
{
	const struct profile *p = ctx;
	const struct profile_stack *a = &p->stacks.data[*(const uint32_t *)pa];
	const struct profile_stack *b = &p->stacks.data[*(const uint32_t *)pb];

	for (uint32_t i = 1; i <= a->len && i <= b->len; i++) {
		uint32_t fa = p->frames.data[a->first + a->len - i];
		uint32_t fb = p->frames.data[b->first + b->len - i];

		if (fa != fb)
			return fa < fb ? -1 : 1;
	}
	return (a->len > b->len) - (a->len < b->len);
}

static int order_rows(struct encoder *e)
{
	const struct profile *p = e->p;
	size_t n = p->stacks.len;
	_cleanup_free_ uint32_t *sorted = calloc(n ?: 1, sizeof(*sorted));
	_cleanup_free_ uint32_t *rank = calloc(n ?: 1, sizeof(*rank));

	if (!sorted || !rank || vec_reserve(&e->rows, p->samples.len))
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = i;
	qsort_r(sorted, n, sizeof(*sorted), compare_stacks, (void *)p);
	for (uint32_t i = 0; i < n; i++)
		rank[sorted[i]] = i;
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		uint64_t group = e->group_of.data[s->labelset];

		e->rows.data[i] = (struct sort_item){group << 32 | rank[s->stack], i};
	}
	e->rows.len = p->samples.len;
	sort_items(e->rows.data, e->rows.len);
	return 0;
}

/* --- types --------------------------------------------------------------------------------------- */

static bool type_is(const struct profile *p, const struct profile_value_type *t, const char *type,
		    const char *unit)
{
	return !strcmp(profile_text(p, t->type), type) && !strcmp(profile_text(p, t->unit), unit);
}

/* Whether its samples and its period say all. */
static bool is_cpu(const struct profile *p)
{
	if (p->sample_types.len != 2 || p->period <= 0 ||
	    !type_is(p, &p->sample_types.data[0], "samples", "count") ||
	    !type_is(p, &p->sample_types.data[1], "cpu", "nanoseconds") ||
	    !type_is(p, &p->period_type, "cpu", "nanoseconds"))
		return false;
	for (size_t i = 0; i < p->samples.len; i++) {
		uint32_t first = p->samples.data[i].first_value;
		int64_t time;

		if (__builtin_mul_overflow(p->values.data[first], p->period, &time) ||
		    time != p->values.data[first + 1])
			return false;
	}
	return true;
}

static size_t type_bytes(const struct profile *p, const struct profile_value_type *t)
{
	return strlen(profile_text(p, t->type)) + strlen(profile_text(p, t->unit));
}

static int value_type(struct encoder *e, const struct profile_value_type *t, Otlp__ValueType *msg)
{
	return otlp_dictionary_string(e->dictionary, profile_text(e->p, t->type),
				      &msg->type_strindex)
		       ?: otlp_dictionary_string(e->dictionary, profile_text(e->p, t->unit),
						 &msg->unit_strindex);
}

/* --- messages, from the inside out --------------------------------------------------------------- */

/* Other Profiles of the same window have other ids, and the same one has the same each time. */
static void make_id(const struct encoder *e, uint8_t id[16])
{
	uint64_t words[2] = {hash_mix(e->o.id[0], e->n_profiles),
			     hash_mix(e->o.id[1], e->n_profiles)};

	memcpy(id, words, sizeof(words));
	id[15] |= 1; /* 16 zeroes are no id */
}

static int put_profile_header(struct encoder *e, struct buf *b)
{
	const struct profile *p = e->p;
	const struct profile_value_type *type = &p->sample_types.data[e->type];
	Otlp__Profile msg = OTLP__PROFILE__INIT;
	Otlp__ValueType sample = OTLP__VALUE_TYPE__INIT, period = OTLP__VALUE_TYPE__INIT;
	uint8_t id[16];
	int err = value_type(e, type, &sample)
			  ?: value_type(e, p->period_type.type ? &p->period_type : type, &period);

	make_id(e, id);
	msg.sample_type = &sample;
	msg.period_type = &period;
	msg.period = p->period ?: 1; /* Pyroscope refuses 0 */
	msg.time_unix_nano = (uint64_t)p->time_ns;
	msg.duration_nano = (uint64_t)p->duration_ns;
	msg.profile_id = (ProtobufCBinaryData){sizeof(id), id};
	wire_put_fields(b, &msg.base);
	return err;
}

/* The indices of a set of attributes, in e->attributes. */
static int find_attributes(struct encoder *e, uint32_t set)
{
	const struct profile_labelset *labels;
	int err = 0;

	e->attributes.len = 0;
	if (!set)
		return 0;
	labels = &e->p->labelsets.data[e->sets.data[set]];
	for (uint32_t i = 0; !err && i < labels->len; i++) {
		const struct profile_label *l = &e->p->labels.data[labels->first + i];
		int32_t index;

		if (!otlp_label_is_of_sample(e->p, l))
			continue;
		err = otlp_dictionary_attribute(e->dictionary, profile_text(e->p, l->key),
						profile_text(e->p, l->str), &index)
			      ?: vec_push(&e->attributes, index);
	}
	return err;
}

static int put_point(struct encoder *e, struct buf *b, const struct point *point)
{
	Otlp__Sample msg = OTLP__SAMPLE__INIT;
	int64_t value = point->value;
	int err = find_attributes(e, point->attributes);

	msg.stack_index = point->stack;
	msg.n_attribute_indices = e->attributes.len;
	msg.attribute_indices = e->attributes.data;
	msg.n_values = 1;
	msg.values = &value;
	wire_put_message(b, PROFILE_SAMPLES, &msg.base);
	return err;
}

static int close_profile(struct encoder *e)
{
	struct buf b = {0};
	int err = 0;

	if (!e->points.len)
		return 0;
	for (size_t i = 0; !err && i < e->points.len; i++)
		err = put_point(e, &b, &e->points.data[i]);
	err = err ?: put_profile_header(e, &b) ?: b.err;
	if (!err)
		wire_put_bytes(&e->profiles, SCOPE_PROFILES, b.data, b.len);
	buf_release(&b);
	e->n_profiles++;
	e->request.profiles++;
	e->points.len = 0;
	e->attribute_bytes = 0;
	htab_clear(&e->point_index);
	return err ?: e->profiles.err;
}

static int close_group(struct encoder *e)
{
	const struct buf *resource = &e->groups.data[e->group].resource;
	Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;
	struct buf in = {0}, of = {0};
	int err = close_profile(e);

	if (err || !e->profiles.len)
		return err;
	scope.name = "kiln";
	scope.version = KILN_VERSION;
	wire_put_message(&in, SCOPE_SCOPE, &scope.base);
	buf_add(&in, e->profiles.data, e->profiles.len);
	wire_put_bytes(&of, RESOURCE_RESOURCE, resource->data, resource->len);
	wire_put_bytes(&of, RESOURCE_SCOPE_PROFILES, in.data, in.len);
	wire_put_bytes(&e->done, REQUEST_RESOURCE_PROFILES, of.data, of.len);
	err = in.err ?: of.err ?: e->done.err;
	buf_release(&in);
	buf_release(&of);
	buf_clear(&e->profiles);
	return err;
}

static int close_request(struct encoder *e, struct otlp_requests *out)
{
	struct buf dictionary = {0};
	struct buf *body = &e->request.body;
	int err = close_group(e);

	if (err || !e->done.len)
		return err;
	otlp_dictionary_put(e->dictionary, &dictionary);
	*body = e->done;
	e->done = (struct buf){0};
	wire_put_bytes(body, REQUEST_DICTIONARY, dictionary.data, dictionary.len);
	err = dictionary.err ?: body->err ?: vec_push(&out->v, e->request);
	buf_release(&dictionary);
	if (err)
		buf_release(body);
	e->request = (struct otlp_request){0};
	return err ?: otlp_dictionary_clear(e->dictionary);
}

/* --- samples ------------------------------------------------------------------------------------- */

static size_t set_bytes(const struct encoder *e, uint32_t set)
{
	size_t bytes = 0;

	if (!set)
		return 0;
	for (const char *c = strtab_get(e->set_keys, set); *c; c++)
		bytes += *c == '\n' ? ATTRIBUTE_BYTES : 1;
	return bytes;
}

/* Room for more in this request, in bytes. */
static size_t room(const struct encoder *e)
{
	size_t used = otlp_dictionary_bytes(e->dictionary) + e->done.len + e->profiles.len +
		      e->groups.data[e->group].resource.len + e->header_bytes +
		      e->points.len * SAMPLE_BYTES + e->attribute_bytes;

	return used < e->o.max_bytes ? e->o.max_bytes - used : 0;
}

struct point_needle {
	const struct encoder *e;
	const struct point *point;
};

static bool point_eq(const void *ctx, uint32_t id)
{
	const struct point_needle *n = ctx;
	const struct point *p = &n->e->points.data[id];

	return p->stack == n->point->stack && p->attributes == n->point->attributes;
}

static int add_point(struct encoder *e, const struct point *point)
{
	struct point_needle n = {e, point};
	uint64_t hash = hash_u64((uint64_t)point->stack << 32 | point->attributes);
	uint32_t id = htab_find(&e->point_index, hash, point_eq, &n);
	int64_t *value;

	if (id == HTAB_NONE) {
		e->attribute_bytes += ATTRIBUTE_BYTES * e->attributes.len;
		return htab_insert(&e->point_index, hash, (uint32_t)e->points.len)
			       ?: vec_push(&e->points, *point);
	}
	value = &e->points.data[id].value;
	*value = saturating_sum(*value, point->value);
	return 0;
}

static int add_row(struct encoder *e, const struct profile_sample *s, struct otlp_requests *out)
{
	struct point point = {.attributes = e->set_of.data[s->labelset]};
	size_t more = SAMPLE_BYTES + set_bytes(e, point.attributes);
	int err = 0;

	point.value = e->p->values.data[s->first_value + e->type];
	if (!point.value)
		return 0;
	if (more + otlp_dictionary_cost(e->dictionary, s->stack) > room(e))
		err = close_request(e, out);
	else if (e->points.len >= e->o.max_samples)
		err = close_profile(e);
	if (err)
		return err;
	if (more + otlp_dictionary_cost(e->dictionary, s->stack) > room(e))
		err = otlp_dictionary_no_stack(e->dictionary, &point.stack);
	else
		err = otlp_dictionary_stack(e->dictionary, s->stack, &point.stack);
	if (!e->type && point.value > 0)
		e->request.samples += (uint64_t)point.value;
	return err ?: find_attributes(e, point.attributes) ?: add_point(e, &point);
}

static int add_rows(struct encoder *e, struct otlp_requests *out)
{
	size_t n_types = is_cpu(e->p) ? 1 : e->p->sample_types.len, n = e->rows.len;
	const struct sort_item *rows = e->rows.data;
	int err = 0;

	for (size_t first = 0, last = 0; !err && first < n; first = last) {
		e->group = rows[first].key >> 32;
		while (last < n && rows[last].key >> 32 == e->group)
			last++;
		for (e->type = 0; !err && e->type < n_types; e->type++) {
			for (size_t i = first; !err && i < last; i++)
				err = add_row(e, &e->p->samples.data[rows[i].value], out);
			err = err ?: close_profile(e);
		}
		err = err ?: close_group(e);
	}
	return err ?: n ? close_request(e, out) : 0;
}

static int encode(struct encoder *e, struct otlp_requests *out)
{
	struct otlp_dictionary_opts o = {e->o.without_names, e->o.max_depth};

	e->header_bytes = HEADER_BYTES + type_bytes(e->p, &e->p->period_type);
	for (size_t i = 0; i < e->p->sample_types.len; i++)
		e->header_bytes += type_bytes(e->p, &e->p->sample_types.data[i]);
	return otlp_dictionary_new(&e->dictionary, e->p, &o) ?:
	       find_groups(e) ?: order_rows(e) ?: add_rows(e, out);
}

int otlp_encode(struct otlp_requests *out, const struct profile *p, const struct otlp_opts *o)
{
	struct encoder e = {.p = p, .o = *o, .seed = hash_random_seed()};
	int err;

	e.o.max_samples = o->max_samples ?: OTLP_MAX_SAMPLES;
	e.o.max_depth = o->max_depth ?: OTLP_MAX_DEPTH;
	e.o.max_bytes = o->max_bytes ?: OTLP_MAX_BYTES;
	err = encode(&e, out);
	encoder_release(&e);
	return err;
}

void otlp_requests_release(struct otlp_requests *r)
{
	for (size_t i = 0; i < r->v.len; i++)
		buf_release(&r->v.data[i].body);
	vec_release(&r->v);
}
