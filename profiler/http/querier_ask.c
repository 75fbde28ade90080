// SPDX-License-Identifier: GPL-2.0-or-later
/* What requests ask for: type, labels, time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/http/querier_methods.h"
#include "profiler/http/selector.h"
#include "profiler/store/query.h"
#include "profiler/store/where.h"
#include "profiler/base/why.h"

#define NS_PER_MS 1000000ll

void querier_meta_of(struct querier_meta *out, enum querier_type type)
{
	static const char *const types[][2] = {
#define X(key, type, unit) {type, unit},
		QUERIER_TYPES(X)
#undef X
	};
	const char *name = types[type][0], *unit = types[type][1];

	*out = (struct querier_meta){
		.names = {"__name__", "__type__", "__unit__", "__period_type__", "__period_unit__",
			  "__profile_type__"},
		.values = {"process_cpu", name, unit, "cpu", "nanoseconds", NULL},
	};
	snprintf(out->id, sizeof(out->id), "process_cpu:%s:%s:cpu:nanoseconds", name, unit);
	out->values[QUERIER_META - 1] = out->id;
}

void querier_ask_release(struct querier_ask *a)
{
	free(a->where);
	a->where = NULL;
}

void querier_ask_nothing(struct querier_ask *a)
{
	memset(a->types, 0, sizeof(a->types));
}

bool querier_wants(const struct querier_ask *a)
{
	for (int i = 0; i < QUERIER_TYPE_COUNT; i++)
		if (a->types[i])
			return true;
	return false;
}

/* Leaves the types that the conditions on "__..." match. */
static int match_types(struct querier_ask *a, const char *conditions, struct why *why)
{
	struct where *w;
	int err = where_parse_any(&w, conditions, why);

	if (err || !*conditions)
		return err;
	for (int i = 0; i < QUERIER_TYPE_COUNT; i++) {
		struct where_label labels[QUERIER_META];
		struct querier_meta meta;

		querier_meta_of(&meta, (enum querier_type)i);
		for (int k = 0; k < QUERIER_META; k++)
			labels[k] = (struct where_label){meta.names[k], meta.values[k]};
		a->types[i] &= where_matches(w, labels, QUERIER_META);
	}
	where_free(w);
	return 0;
}

/* A type that kiln does not have is no error: there is nothing of it. */
static bool take_type(struct querier *q, struct querier_ask *a, const char *id)
{
	unsigned colons = 0;

	for (const char *c = id ?: ""; *c; c++)
		colons += *c == ':';
	if (id && colons != 4) {
		querier_fail(q, 400,
			     "\"%.100s\" is not a type such as "
			     "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
			     id);
		return false;
	}
	for (int i = 0; i < QUERIER_TYPE_COUNT; i++) {
		struct querier_meta meta;

		querier_meta_of(&meta, (enum querier_type)i);
		a->types[i] = !id || !strcmp(id, meta.id);
	}
	return true;
}

static bool take_selector(struct querier *q, struct querier_ask *a, const char *selector)
{
	struct buf where = {0}, meta = {0};
	struct why sentence = {""};
	const char *why = "";
	int err = selector_parse(selector, &where, &meta, &why);

	if (err == -EINVAL)
		querier_fail(q, 400, "the selector \"%.200s\": %s", selector, why);
	if (!err) {
		err = match_types(a, buf_cstr(&meta), &sentence);
		if (err == -EINVAL)
			querier_fail(q, 400, "%s", sentence.text);
	}
	if (!err && where.len) {
		a->where = buf_take(&where);
		err = a->where ? 0 : -ENOMEM;
	}
	if (err == -ENOMEM)
		querier_fail(q, 500, "out of memory");
	buf_release(&where);
	buf_release(&meta);
	return !err;
}

static bool take_time(struct querier *q, struct querier_ask *a, int64_t start_ms, int64_t end_ms)
{
	if (start_ms < 0 || start_ms > STORE_END / NS_PER_MS || end_ms < 0 ||
	    end_ms > STORE_END / NS_PER_MS || (end_ms && end_ms < start_ms)) {
		querier_fail(q, 400, "start and end are ms since 1970, and start is before end");
		return false;
	}
	a->since_ns = start_ms * NS_PER_MS;
	a->until_ns = end_ms ? end_ms * NS_PER_MS : STORE_END;
	return true;
}

bool querier_ask(struct querier *q, struct querier_ask *out, const char *id, const char *selector,
		 int64_t start_ms, int64_t end_ms)
{
	struct querier_ask a = {0};

	if (!take_time(q, &a, start_ms, end_ms) || !take_type(q, &a, id) ||
	    !take_selector(q, &a, selector ?: ""))
		return false;
	*out = a;
	return true;
}
