// SPDX-License-Identifier: GPL-2.0-or-later
/* Types of profiles: a store has one value in each, kiln all values of a profile together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/formats/export.h"
#include "profiler/remote/fleet_priv.h"

#define CPU_NAME   "process_cpu"
#define MAX_ID	   300
#define MAX_VALUES 8

static int set_parts(struct fleet_type *t)
{
	const char *at = t->id;
	char **parts[] = {&t->name, &t->type, &t->unit};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		size_t len = strcspn(at, ":");

		if (!len || !at[len])
			return -EINVAL;
		*parts[i] = strndup(at, len);
		if (!*parts[i])
			return -ENOMEM;
		at += len + 1;
	}
	return 0;
}

static void type_release(struct fleet_type *t)
{
	free(t->id);
	free(t->name);
	free(t->type);
	free(t->unit);
}

int fleet_types_add(struct fleet_types *t, const char *id, size_t len)
{
	struct fleet_type type = {0};
	int err;

	if (len > MAX_ID || !text_is_clean(id, len) || t->v.len == FLEET_MAX_TYPES)
		return 0;
	type.id = strndup(id, len);
	err = type.id ? set_parts(&type) : -ENOMEM;
	err = err ?: vec_push(&t->v, type);
	if (err)
		type_release(&type);
	return err == -EINVAL ? 0 : err;
}

bool fleet_types_have(const struct fleet_types *t, const char *name)
{
	for (size_t i = 0; i < t->v.len; i++)
		if (!strcmp(t->v.data[i].name, name))
			return true;
	return false;
}

int fleet_type_answers(struct fleet_type *type, const char *of, const char *unit)
{
	char *own_type = strdup(of), *own_unit = strdup(unit);

	if (!own_type || !own_unit) {
		free(own_type);
		free(own_unit);
		return -ENOMEM;
	}
	free(type->type);
	free(type->unit);
	type->type = own_type;
	type->unit = own_unit;
	return 0;
}

static bool is_same(const struct fleet_type *a, const struct fleet_type *b)
{
	return !strcmp(a->type, b->type) && !strcmp(a->unit, b->unit);
}

size_t fleet_types_index(const struct fleet_types *t, const struct fleet_type *type)
{
	size_t i = 0;

	while (i < t->values.len && !is_same(t->values.data[i], type))
		i++;
	return i;
}

static const char *best_name(const struct fleet_types *t)
{
	const char *best = NULL;

	for (size_t i = 0; i < t->v.len; i++) {
		const char *name = t->v.data[i].name;

		if (!strcmp(name, CPU_NAME))
			return name;
		if (!best || strcmp(name, best) < 0)
			best = name;
	}
	return best;
}

static bool has_name(const struct fleet_type *t, const char *name)
{
	return !strcmp(t->name, name);
}

int fleet_types_choose(struct fleet_types *t)
{
	const char *name = best_name(t);
	int err = 0;

	if (!name)
		return -ENODATA;
	/* Samples come first in profiles. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < t->v.len && !err; i++) {
			const struct fleet_type *one = &t->v.data[i];

			if (has_name(one, name) && !strcmp(one->type, "samples") == !pass &&
			    t->values.len < MAX_VALUES &&
			    fleet_types_index(t, one) == t->values.len)
				err = vec_push(&t->values, one);
		}
	return err;
}

void fleet_types_release(struct fleet_types *t)
{
	for (size_t i = 0; i < t->v.len; i++)
		type_release(&t->v.data[i]);
	vec_release(&t->v);
	vec_release(&t->values);
}

/* --- values --------------------------------------------------------------------------------------- */

/* The profile's one value becomes value `at` of several; the others are 0. */
static int widen(struct profile *p, const struct fleet_types *t, size_t at)
{
	struct {
		VEC(int64_t) v;
	} wide = {0};
	size_t n = t->values.len;

	for (size_t i = 0; i < p->samples.len; i++) {
		int64_t value = p->values.data[p->samples.data[i].first_value];

		for (size_t k = 0; k < n; k++)
			if (vec_push(&wide.v, k == at ? value : 0)) {
				vec_release(&wide.v);
				return -ENOMEM;
			}
	}
	for (size_t i = 0; i < p->samples.len; i++)
		p->samples.data[i].first_value = (uint32_t)(i * n);
	vec_release(&p->values);
	p->values.data = wide.v.data;
	p->values.len = wide.v.len;
	p->values.cap = wide.v.cap;
	return 0;
}

static int set_types(struct profile *p, const struct fleet_types *t)
{
	int err = profile_string(p, "", &p->default_sample_type);

	p->sample_types.len = 0;
	for (size_t i = 0; i < t->values.len && !err; i++) {
		const struct fleet_type *from = t->values.data[i];
		struct profile_value_type type;

		err = profile_string(p, from->type, &type.type);
		err = err ?: profile_string(p, from->unit, &type.unit);
		err = err ?: vec_push(&p->sample_types, type);
		if (!err && !strcmp(from->type, "cpu"))
			p->default_sample_type = type.type;
	}
	return err;
}

int fleet_merge(const struct fleet *f, struct profile **all, const struct profile *p,
		struct why *why)
{
	const char *text = "out of memory";
	size_t most = f->q->max_merged ?: FLEET_MAX_MERGED;
	int err;

	if (!*all && !(*all = profile_new()))
		return -ENOMEM;
	err = profile_merge(*all, p, &text);
	if (err)
		return fleet_fail(f, err, why, "%s", text);
	if (profile_bytes(*all) > most)
		return fleet_fail(f, -EFBIG, why,
				  "its profiles take more than %zu MiB of memory together: ask for "
				  "less time, or for less (--where)",
				  most >> 20);
	return 0;
}

int fleet_merge_value(const struct fleet *f, struct profile **all, struct profile *p,
		      const struct fleet_types *t, size_t at, struct why *why)
{
	int err;

	if (p->sample_types.len != 1)
		return why_say(why, -EBADMSG, "the answer has %zu values instead of one",
			       p->sample_types.len);
	err = widen(p, t, at);
	err = err ?: set_types(p, t);
	return err ? why_say(why, err, "out of memory") : fleet_merge(f, all, p, why);
}

int fleet_import(const struct fleet *f, const void *data, size_t len, struct profile **out,
		 struct why *why)
{
	const char *text = NULL;
	int err = len ? import_pprof_most(out, data, len, FLEET_MAX_ANSWER, &text) : 0;

	if (!len)
		*out = NULL;
	if (!err && *out && !(*out)->sample_types.len) {
		profile_free(*out);
		*out = NULL;
	}
	return err ? fleet_fail(f, err, why, "the answer is %s", text ? text : strerror(-err)) : 0;
}
