/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of OpenTelemetry profiles, unpacked: their rules, and what their functions weigh. */
#ifndef KILN_TESTS_OTLP_H
#define KILN_TESTS_OTLP_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/upload/otlp.h"
#include "proto/otlp.pb-c.h"
#include "tests/lib/profiles.h"

typedef Otlp__ExportProfilesServiceRequest otlp_message;

static inline otlp_message *otlp_unpacked(const struct otlp_request *r)
{
	otlp_message *m = otlp__export_profiles_service_request__unpack(
		NULL, r->body.len, (const uint8_t *)r->body.data);

	assert_non_null(m);
	return m;
}

static inline void otlp_message_free(otlp_message *m)
{
	otlp__export_profiles_service_request__free_unpacked(m, NULL);
}

/* --- every Profile of a request ------------------------------------------------------------------ */

typedef void otlp_profile_fn(void *ctx, const otlp_message *m, const Otlp__Resource *resource,
			     const Otlp__Profile *p);

static inline void otlp_each(const otlp_message *m, otlp_profile_fn *fn, void *ctx)
{
	for (size_t r = 0; r < m->n_resource_profiles; r++) {
		const Otlp__ResourceProfiles *rp = m->resource_profiles[r];

		for (size_t s = 0; s < rp->n_scope_profiles; s++)
			for (size_t i = 0; i < rp->scope_profiles[s]->n_profiles; i++)
				fn(ctx, m, rp->resource, rp->scope_profiles[s]->profiles[i]);
	}
}

static inline const char *otlp_resource_text(const Otlp__Resource *r, const char *key)
{
	for (size_t i = 0; i < r->n_attributes; i++)
		if (!strcmp(r->attributes[i]->key, key))
			return r->attributes[i]->value->string_value;
	return "";
}

/* --- the dictionary's rules ---------------------------------------------------------------------- */

/* A table as texts that can be compared, and which elements something refers to. */
struct otlp_checked {
	size_t n;
	struct buf *bytes;
	bool *used;
};

static inline struct otlp_checked otlp_checked_table(ProtobufCMessage **table, size_t n)
{
	struct otlp_checked c = {n, calloc(n, sizeof(*c.bytes)), calloc(n, sizeof(*c.used))};

	for (size_t i = 0; i < n; i++) {
		size_t len = protobuf_c_message_get_packed_size(table[i]);

		c.bytes[i].len = protobuf_c_message_pack(table[i], buf_room(&c.bytes[i], len));
	}
	return c;
}

static inline struct otlp_checked otlp_checked_strings(char **table, size_t n)
{
	struct otlp_checked c = {n, calloc(n, sizeof(*c.bytes)), calloc(n, sizeof(*c.used))};

	for (size_t i = 0; i < n; i++)
		buf_str(&c.bytes[i], table[i]);
	return c;
}

static inline void otlp_use(struct otlp_checked *c, int32_t index)
{
	assert_in_range(index, 0, c->n - 1);
	c->used[index] = true;
}

static inline int otlp_compare_bufs(const void *pa, const void *pb)
{
	const struct buf *a = pa, *b = pb;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->len ? memcmp(a->data, b->data, a->len) : 0;
}

/* Element 0 is empty; no two are equal; something refers to each of the others. */
static inline void otlp_end_table(struct otlp_checked *c, const char *name)
{
	assert_true(c->n > 0);
	assert_int_equal(c->bytes[0].len, 0);
	for (size_t i = 1; i < c->n; i++)
		if (!c->used[i])
			fail_msg("%s %zu is an orphan", name, i);
	qsort(c->bytes, c->n, sizeof(*c->bytes), otlp_compare_bufs);
	for (size_t i = 1; i < c->n; i++)
		if (!otlp_compare_bufs(&c->bytes[i - 1], &c->bytes[i]))
			fail_msg("%s has two equal elements", name);
	for (size_t i = 0; i < c->n; i++)
		buf_release(&c->bytes[i]);
	free(c->bytes);
	free(c->used);
}

struct otlp_rules {
	struct otlp_checked mappings, locations, functions, strings, attributes, stacks;
};

static inline void otlp_use_all(struct otlp_checked *c, const int32_t *indices, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_not_equal(indices[i], 0);
		otlp_use(c, indices[i]);
	}
}

static inline void otlp_profile_rules(void *ctx, const otlp_message *m,
				      const Otlp__Resource *resource, const Otlp__Profile *p)
{
	struct otlp_rules *r = ctx;

	(void)m;
	assert_string_not_equal(otlp_resource_text(resource, "service.name"), "");
	assert_int_equal(p->profile_id.len, 16);
	assert_true(p->n_samples > 0);
	assert_true(p->period != 0);
	otlp_use(&r->strings, p->sample_type->type_strindex);
	otlp_use(&r->strings, p->sample_type->unit_strindex);
	otlp_use(&r->strings, p->period_type->type_strindex);
	otlp_use(&r->strings, p->period_type->unit_strindex);
	for (size_t i = 0; i < p->n_samples; i++) {
		const Otlp__Sample *s = p->samples[i];

		assert_int_equal(s->n_values, 1);
		otlp_use(&r->stacks, s->stack_index);
		otlp_use_all(&r->attributes, s->attribute_indices, s->n_attribute_indices);
	}
}

static inline void otlp_dictionary_rules(struct otlp_rules *r, const Otlp__ProfilesDictionary *d)
{
	for (size_t i = 0; i < d->n_stack_table; i++)
		otlp_use_all(&r->locations, d->stack_table[i]->location_indices,
			     d->stack_table[i]->n_location_indices);
	for (size_t i = 0; i < d->n_location_table; i++) {
		const Otlp__Location *l = d->location_table[i];

		otlp_use(&r->mappings, l->mapping_index);
		otlp_use_all(&r->attributes, l->attribute_indices, l->n_attribute_indices);
		for (size_t k = 0; k < l->n_lines; k++)
			otlp_use_all(&r->functions, &l->lines[k]->function_index, 1);
	}
	for (size_t i = 0; i < d->n_mapping_table; i++) {
		otlp_use(&r->strings, d->mapping_table[i]->filename_strindex);
		otlp_use_all(&r->attributes, d->mapping_table[i]->attribute_indices,
			     d->mapping_table[i]->n_attribute_indices);
	}
	for (size_t i = 0; i < d->n_function_table; i++) {
		otlp_use(&r->strings, d->function_table[i]->name_strindex);
		otlp_use(&r->strings, d->function_table[i]->system_name_strindex);
		otlp_use(&r->strings, d->function_table[i]->filename_strindex);
	}
	for (size_t i = 0; i < d->n_attribute_table; i++)
		otlp_use(&r->strings, d->attribute_table[i]->key_strindex);
}

static inline void otlp_check_rules(const otlp_message *m)
{
	const Otlp__ProfilesDictionary *d = m->dictionary;
	struct otlp_rules r;

	assert_non_null(d);
#define TABLE(name) otlp_checked_table((ProtobufCMessage **)d->name##_table, d->n_##name##_table)
	r.mappings = TABLE(mapping);
	r.locations = TABLE(location);
	r.functions = TABLE(function);
	r.attributes = TABLE(attribute);
	r.stacks = TABLE(stack);
#undef TABLE
	r.strings = otlp_checked_strings(d->string_table, d->n_string_table);
	assert_int_equal(d->n_link_table, 1);
	otlp_each(m, otlp_profile_rules, &r);
	otlp_dictionary_rules(&r, d);
	otlp_end_table(&r.mappings, "mapping");
	otlp_end_table(&r.locations, "location");
	otlp_end_table(&r.functions, "function");
	otlp_end_table(&r.attributes, "attribute");
	otlp_end_table(&r.stacks, "stack");
	otlp_end_table(&r.strings, "string");
}

/* --- totals -------------------------------------------------------------------------------------- */

/* What each function weighs, by name: itself, and with what it called. */
struct otlp_total {
	int64_t self, total;
	uint64_t seen; /* in this sample */
};

struct otlp_totals {
	struct strtab *names;
	VEC(struct otlp_total) v; /* by name */
	uint64_t sample;
	int64_t all;
	const char *type; /* only Profiles of this type; NULL: all */
};

static inline void totals_begin(struct otlp_totals *t, int64_t value)
{
	if (!t->names)
		t->names = strtab_new();
	t->sample++;
	t->all += value;
}

static inline void totals_frame(struct otlp_totals *t, const char *name, int64_t value,
				bool is_leaf)
{
	uint32_t id;

	MUST(strtab_add(t->names, name, &id));
	while (t->v.len <= id) {
		MUST(vec_reserve(&t->v, t->v.len + 1));
		memset(&t->v.data[t->v.len++], 0, sizeof(*t->v.data));
	}
	if (is_leaf)
		t->v.data[id].self += value;
	if (t->v.data[id].seen != t->sample)
		t->v.data[id].total += value;
	t->v.data[id].seen = t->sample;
}

static inline void otlp_add_totals(void *ctx, const otlp_message *m, const Otlp__Resource *resource,
				   const Otlp__Profile *p)
{
	const Otlp__ProfilesDictionary *d = m->dictionary;
	struct otlp_totals *t = ctx;

	(void)resource;
	if (t->type && strcmp(d->string_table[p->sample_type->type_strindex], t->type) != 0)
		return;
	for (size_t i = 0; i < p->n_samples; i++) {
		const Otlp__Stack *s = d->stack_table[p->samples[i]->stack_index];
		int64_t value = p->samples[i]->values[0];

		totals_begin(t, value);
		for (size_t k = 0; k < s->n_location_indices; k++) {
			const Otlp__Location *l = d->location_table[s->location_indices[k]];

			for (size_t n = 0; n < l->n_lines; n++) {
				int32_t f = l->lines[n]->function_index;

				totals_frame(t,
					     d->string_table[d->function_table[f]->name_strindex],
					     value, !k && !n);
			}
		}
	}
}

/* The same of the profile itself, as people see it. */
static inline void profile_add_totals(struct otlp_totals *t, const struct profile *p, size_t type)
{
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_stack *s = &p->stacks.data[p->samples.data[i].stack];
		int64_t value = p->values.data[p->samples.data[i].first_value + type];

		if (!value)
			continue;
		totals_begin(t, value);
		for (uint32_t k = 0; k < s->len; k++) {
			uint32_t id = p->frames.data[s->first + k];
			const struct profile_location *l = &p->locations.data[id];
			char text[256];

			if (!l->n_lines)
				totals_frame(t, profile_unresolved(p, id, text, sizeof(text)),
					     value, !k);
			for (uint32_t n = 0; n < l->n_lines; n++) {
				uint32_t f = p->lines.data[l->first_line + n].function;

				totals_frame(t, profile_text(p, p->functions.data[f].name), value,
					     !k && !n);
			}
		}
	}
}

/* One sorted line a function; the caller frees it. */
static inline char *totals_text(struct otlp_totals *t)
{
	char **lines = calloc(t->v.len + 1, sizeof(*lines));
	struct buf b = {0};

	for (size_t i = 0; i < t->v.len; i++) {
		struct buf line = {0};

		if (t->v.data[i].seen)
			buf_printf(&line, "%s %" PRId64 " %" PRId64 "\n",
				   strtab_get(t->names, (uint32_t)i), t->v.data[i].self,
				   t->v.data[i].total);
		buf_cstr(&line);
		lines[i] = buf_take(&line);
	}
	qsort(lines, t->v.len, sizeof(*lines), compare_lines_of_text);
	buf_printf(&b, "all %" PRId64 "\n", t->all);
	for (size_t i = 0; i < t->v.len; i++) {
		buf_str(&b, lines[i]);
		free(lines[i]);
	}
	free(lines);
	strtab_free(t->names);
	vec_release(&t->v);
	return buf_take(&b);
}

/* --- profiles to encode, and how they come out ---------------------------------------------------- */

static const struct otlp_opts plain __attribute__((unused)) = {.host = "box", .id = {1, 2}};

static inline struct otlp_requests encoded(const struct profile *p, const struct otlp_opts *o)
{
	struct otlp_requests r = {0};

	assert_int_equal(otlp_encode(&r, p, o), 0);
	return r;
}

static inline void assert_same_totals(const struct profile *p, const struct otlp_requests *r,
				      size_t type, const char *type_name)
{
	struct otlp_totals ours = {0}, theirs = {.type = type_name};
	char *a, *b;

	profile_add_totals(&ours, p, type);
	for (size_t i = 0; i < r->v.len; i++) {
		otlp_message *m = otlp_unpacked(&r->v.data[i]);

		otlp_check_rules(m);
		otlp_each(m, otlp_add_totals, &theirs);
		otlp_message_free(m);
	}
	a = totals_text(&ours);
	b = totals_text(&theirs);
	assert_string_equal(a, b);
	free(a);
	free(b);
}

#define PERIOD 10000000

static inline void add(struct profile *p, const uint32_t *locations, size_t n,
		       const struct profile_label *labels, size_t n_labels, int64_t count)
{
	int64_t values[2] = {count, count * PERIOD};
	uint32_t stack, set;

	MUST(profile_stack(p, locations, n, &stack));
	MUST(profile_labelset(p, labels, n_labels, &set));
	MUST(profile_add(p, stack, set, values));
}

static inline struct profile *cpu_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(profile_init_cpu(p, PERIOD));
	p->time_ns = 1700000000000000000;
	p->duration_ns = 10000000000;
	return p;
}

static inline struct profile_label text_label(struct profile *p, const char *key, const char *value)
{
	return (struct profile_label){.key = str_id(p, key), .str = str_id(p, value)};
}

static inline struct profile_label number_label(struct profile *p, const char *key, int64_t n)
{
	return (struct profile_label){.key = str_id(p, key), .str = PROFILE_NONE, .num = n};
}

static inline otlp_message *only_message(const struct profile *p, const struct otlp_opts *o)
{
	struct otlp_requests r = encoded(p, o);
	otlp_message *m;

	assert_int_equal(r.v.len, 1);
	m = otlp_unpacked(&r.v.data[0]);
	otlp_check_rules(m);
	otlp_requests_release(&r);
	return m;
}

static inline const char *string_of(const otlp_message *m, int32_t index)
{
	assert_in_range(index, 0, m->dictionary->n_string_table - 1);
	return m->dictionary->string_table[index];
}

static inline const char *attribute_of(const otlp_message *m, const int32_t *indices, size_t n,
				       const char *key)
{
	for (size_t i = 0; i < n; i++) {
		const Otlp__KeyValueAndUnit *a = m->dictionary->attribute_table[indices[i]];

		if (!strcmp(string_of(m, a->key_strindex), key))
			return a->value->string_value;
	}
	return "";
}

static inline const Otlp__Profile *only_profile(const otlp_message *m)
{
	assert_int_equal(m->n_resource_profiles, 1);
	assert_int_equal(m->resource_profiles[0]->n_scope_profiles, 1);
	assert_int_equal(m->resource_profiles[0]->scope_profiles[0]->n_profiles, 1);
	return m->resource_profiles[0]->scope_profiles[0]->profiles[0];
}

/* The names of a stack's frames, innermost first, with their types: "sys_read/kernel ...". */
static inline char *frames_text(const otlp_message *m, int32_t stack)
{
	const Otlp__ProfilesDictionary *d = m->dictionary;
	const Otlp__Stack *s = d->stack_table[stack];
	struct buf b = {0};

	for (size_t i = 0; i < s->n_location_indices; i++) {
		const Otlp__Location *l = d->location_table[s->location_indices[i]];

		buf_printf(&b, "%s0x%" PRIx64, i ? " " : "", l->address);
		for (size_t k = 0; k < l->n_lines; k++)
			buf_printf(&b, "|%s",
				   string_of(m, d->function_table[l->lines[k]->function_index]
							->name_strindex));
		buf_printf(&b, "|%s|%s",
			   string_of(m, d->mapping_table[l->mapping_index]->filename_strindex),
			   attribute_of(m, l->attribute_indices, l->n_attribute_indices,
					"profile.frame.type"));
	}
	return buf_take(&b);
}

#endif
