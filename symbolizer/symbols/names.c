// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/symbols/names.h"

#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/strtab.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "symbolizer/symbols/demangle.h"

struct keyed {
	uint64_t key;
	uint32_t id;
};

struct names {
	struct strtab *strings;	  /* raw and demangled names */
	VEC(const char *) pretty; /* by string id; borrowed from strings; NULL: not demangled yet */
	VEC(struct keyed) keyed;
	struct htab by_key; /* to an index in `keyed` */
	struct buf scratch;
};

DEFINE_CLEANUP(names, names_free)

struct names *names_new(void)
{
	_cleanup_(names_freep) struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->strings = strtab_new();
	return n->strings ? steal_ptr(n) : NULL;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	strtab_free(n->strings);
	vec_release(&n->pretty);
	vec_release(&n->keyed);
	htab_release(&n->by_key);
	buf_release(&n->scratch);
	free(n);
}

int names_add(struct names *n, const char *text, uint32_t *id)
{
	size_t len = strlen(text);

	if (text_is_clean(text, len))
		return strtab_add_n(n->strings, text, len, id);
	buf_clear(&n->scratch);
	text_add_clean(&n->scratch, text, len);
	return n->scratch.err ?: strtab_add(n->strings, buf_cstr(&n->scratch), id);
}

struct key_query {
	const struct names *n;
	uint64_t key;
};

static bool key_eq(const void *ctx, uint32_t index)
{
	const struct key_query *q = ctx;

	return q->n->keyed.data[index].key == q->key;
}

uint32_t names_by_key(const struct names *n, uint64_t key)
{
	struct key_query q = {n, key};
	uint32_t index = htab_find(&n->by_key, hash_u64(key), key_eq, &q);

	return index == HTAB_NONE ? 0 : n->keyed.data[index].id;
}

int names_set_key(struct names *n, uint64_t key, uint32_t id)
{
	int err = vec_push(&n->keyed, (struct keyed){key, id});

	if (err)
		return err;
	err = htab_insert(&n->by_key, hash_u64(key), (uint32_t)(n->keyed.len - 1));
	if (err)
		n->keyed.len--;
	return err;
}

const char *names_raw(const struct names *n, uint32_t id)
{
	return strtab_get(n->strings, id);
}

/* NULL when out of memory. */
static const char *work_out(struct names *n, uint32_t id)
{
	const char *raw = names_raw(n, id);

	buf_clear(&n->scratch);
	sym_demangle(&n->scratch, raw);
	if (n->scratch.err)
		return NULL;
	/* Two names rarely demangle to the same text. Searching for a copy would take longer
	 * than adding one. */
	return strcmp(buf_cstr(&n->scratch), raw)
		       ? strtab_keep(n->strings, n->scratch.data, n->scratch.len)
		       : raw;
}

const char *names_pretty(struct names *n, uint32_t id)
{
	if (id >= n->pretty.len) {
		size_t want = strtab_count(n->strings);

		if (vec_reserve(&n->pretty, want))
			return NULL;
		while (n->pretty.len < want)
			n->pretty.data[n->pretty.len++] = NULL;
	}
	if (!n->pretty.data[id])
		n->pretty.data[id] = work_out(n, id);
	return n->pretty.data[id];
}

size_t names_bytes(const struct names *n)
{
	return sizeof(*n) + strtab_bytes(n->strings) + n->pretty.cap * sizeof(char *) +
	       n->keyed.cap * sizeof(struct keyed) + n->by_key.cap * sizeof(struct htab_slot) +
	       n->scratch.cap;
}
