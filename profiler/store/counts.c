// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * number of samples, number of types;
 * label sets: differences from the one before; stacks: the same, from 0 where the label set differs;
 * values of the first type; then for each other type 1 and the factor by which all its values differ
 * from the first's (a CPU profile's period), or 0 and the values;
 * number of blamed modules, and for each module, hint + 1, frames, unnamed, broken.
 */
#include "profiler/store/counts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/profile/quality.h"
#include "profiler/store/pack.h"

#define MAX_TYPES  256	      /* more than anyone records */
#define MAX_VALUES (1u << 24) /* of one window: 128 MB */

static int compare_samples(const void *va, const void *vb)
{
	const struct dict_sample *a = va, *b = vb;

	if (a->labelset != b->labelset)
		return a->labelset < b->labelset ? -1 : 1;
	return a->stack < b->stack ? -1 : a->stack > b->stack;
}

void counts_sort(struct dict_window *w)
{
	if (w->samples.len)
		qsort(w->samples.data, w->samples.len, sizeof(*w->samples.data), compare_samples);
}

/* No stack is -1, as a number of either sign. */
static int64_t stack_of(const struct dict_sample *s)
{
	return s->stack == DICT_NONE ? -1ll : s->stack;
}

static int64_t value_of(const struct dict_window *w, size_t sample, uint32_t type)
{
	return w->values.data[w->samples.data[sample].first_value + type];
}

/* The factor that leads from the first type to this one in all samples; false if there is none. */
static bool common_factor(const struct dict_window *w, uint32_t type, int64_t *factor)
{
	bool known = false;

	*factor = 0;
	for (size_t i = 0; i < w->samples.len; i++) {
		int64_t from = value_of(w, i, 0), to = value_of(w, i, type), product;

		if (!known && from) {
			if (from == -1 && to == INT64_MIN)
				return false;
			*factor = to / from;
			known = true;
		}
		if (__builtin_mul_overflow(from, *factor, &product) || product != to)
			return false;
	}
	return true;
}

static void put_references(struct buf *b, const struct dict_window *w)
{
	const struct dict_sample *s = w->samples.data;
	uint32_t labelset = 0;
	int64_t stack = 0;

	for (size_t i = 0; i < w->samples.len; i++) {
		put_uleb(b, s[i].labelset - labelset);
		labelset = s[i].labelset;
	}
	for (size_t i = 0; i < w->samples.len; i++) {
		if (i && s[i].labelset != s[i - 1].labelset)
			stack = 0;
		put_zigzag(b, stack_of(&s[i]) - stack);
		stack = stack_of(&s[i]);
	}
}

static void put_values(struct buf *b, const struct dict_window *w, uint32_t type)
{
	int64_t factor;

	if (type && common_factor(w, type, &factor)) {
		buf_char(b, 1);
		put_zigzag(b, factor);
		return;
	}
	if (type)
		buf_char(b, 0);
	for (size_t i = 0; i < w->samples.len; i++)
		put_zigzag(b, value_of(w, i, type));
}

static void put_blame(struct buf *b, const struct dict_window *w)
{
	put_uleb(b, w->blame.len);
	for (size_t i = 0; i < w->blame.len; i++) {
		const struct dict_blame *blame = &w->blame.data[i];

		put_uleb(b, blame->module);
		put_uleb(b, blame->hint == DICT_NONE ? 0 : blame->hint + 1ull);
		put_uleb(b, blame->frames);
		put_uleb(b, blame->unnamed);
		put_uleb(b, blame->broken);
	}
}

int counts_encode(struct packer *p, struct buf *out, const struct dict_window *w, int level)
{
	struct buf *raw = &p->raw;

	if (w->n_types > MAX_TYPES || w->samples.len * (w->n_types + 1ull) > MAX_VALUES)
		return -EFBIG;
	buf_clear(raw);
	put_uleb(raw, w->samples.len);
	put_uleb(raw, w->n_types);
	put_references(raw, w);
	for (uint32_t type = 0; type < w->n_types; type++)
		put_values(raw, w, type);
	put_blame(raw, w);
	return pack(p, out, level);
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool get_references(struct bytes *b, struct dict_window *w)
{
	struct dict_sample *s = w->samples.data;
	uint64_t labelset = 0;
	int64_t stack = 0;

	for (size_t i = 0; i < w->samples.len; i++) {
		uint64_t more = bytes_uleb(b);

		if (more >= DICT_NONE || labelset + more >= DICT_NONE)
			return false;
		labelset += more;
		s[i].labelset = (uint32_t)labelset;
		s[i].first_value = (uint32_t)(i * w->n_types);
	}
	for (size_t i = 0; i < w->samples.len; i++) {
		if (i && s[i].labelset != s[i - 1].labelset)
			stack = 0;
		if (__builtin_add_overflow(stack, get_zigzag(b), &stack) || stack < -1 ||
		    stack >= DICT_NONE)
			return false;
		s[i].stack = (uint32_t)stack; /* -1 is DICT_NONE */
	}
	return !b->bad;
}

static bool get_values(struct bytes *b, struct dict_window *w, uint32_t type)
{
	uint8_t how = type ? bytes_u8(b) : 0;
	int64_t factor = how == 1 ? get_zigzag(b) : 0;

	if (how > 1)
		return false;
	for (size_t i = 0; i < w->samples.len; i++) {
		int64_t *v = &w->values.data[i * w->n_types + type];

		if (!how)
			*v = get_zigzag(b);
		else if (__builtin_mul_overflow(w->values.data[i * w->n_types], factor, v))
			return false;
	}
	return !b->bad;
}

static int get_blame(struct bytes *b, struct dict_window *w)
{
	uint64_t n = bytes_uleb(b);

	if (n > QUALITY_MAX_BLAME)
		return -EBADMSG;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t module = bytes_uleb(b), hint = bytes_uleb(b);
		struct dict_blame blame = {.frames = bytes_uleb(b)};

		blame.unnamed = bytes_uleb(b);
		blame.broken = bytes_uleb(b);
		blame.module = (uint32_t)module;
		blame.hint = (uint32_t)(hint - 1); /* 0 - 1 is DICT_NONE */
		if (module >= DICT_NONE || hint > DICT_NONE)
			return -EBADMSG;
		if (vec_push(&w->blame, blame))
			return -ENOMEM;
	}
	return b->bad ? -EBADMSG : 0;
}

static int get_window(struct bytes *b, struct dict_window *w)
{
	uint64_t n = bytes_uleb(b), n_types = bytes_uleb(b);

	/* Every sample takes two bytes at least. */
	if (b->bad || n > bytes_left(b) || n_types > MAX_TYPES || n * (n_types + 1) > MAX_VALUES)
		return -EBADMSG;
	if (vec_reserve(&w->samples, n + 1) || vec_reserve(&w->values, n * n_types + 1))
		return -ENOMEM;
	w->n_types = (uint32_t)n_types;
	w->samples.len = n;
	w->values.len = n * n_types;
	if (!get_references(b, w))
		return -EBADMSG;
	for (uint32_t type = 0; type < w->n_types; type++)
		if (!get_values(b, w, type))
			return -EBADMSG;
	return get_blame(b, w) ?: bytes_left(b) ? -EBADMSG : 0;
}

int counts_decode(struct packer *p, struct dict_window *out, const void *data, size_t len)
{
	int err = unpack(p, data, len);
	struct bytes b = bytes_of(p->raw.data, p->raw.len);

	out->blame.len = 0;
	return err ?: get_window(&b, out);
}
