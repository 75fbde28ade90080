// SPDX-License-Identifier: GPL-2.0-or-later
/* What a segment holds as bytes: dictionaries and windows come back as they were, in whatever order, and
 * bytes that are not what was written are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/profile/quality.h"
#include "profiler/store/chunk.h"
#include "profiler/store/counts.h"
#include "profiler/store/order.h"
#include "profiler/store/pack.h"
#include "tests/lib/profiles.h"

/* A dictionary of some windows, and those. */
struct filled {
	struct dict *d;
	struct dict_window w[6];
};

static struct filled fill(void)
{
	struct filled f = {dict_new(), {{{0}}}};
	struct quality q = {0};

	for (uint32_t i = 0; i < 6; i++) {
		struct profile *p = random_profile(i % 4, 10 + i * 10);

		MUST(dict_add_window(f.d, p, &q, &f.w[i]));
		counts_sort(&f.w[i]);
		profile_free(p);
	}
	return f;
}

static void filled_release(struct filled *f)
{
	for (int i = 0; i < 6; i++)
		dict_window_release(&f->w[i]);
	dict_free(f->d);
}

static size_t record_size(enum section s)
{
	static const size_t sizes[] = {0,
				       sizeof(struct dict_mapping),
				       sizeof(struct dict_function),
				       sizeof(struct dict_line),
				       sizeof(struct dict_location),
				       sizeof(struct dict_stack)};

	return sizes[s];
}

static const void *record_of(const struct dict *d, enum section s, uint32_t id)
{
	const void *const arrays[] = {NULL,	     d->mappings.data,	d->functions.data,
				      d->lines.data, d->locations.data, d->stacks.data};

	return (const char *)arrays[s] + id * record_size(s);
}

static void assert_labelset(const struct dict *d, const struct chunk *c, uint32_t id)
{
	const struct dict_labelset *have = chunk_record(c, id), *want = &d->labelsets.data[id];

	assert_int_equal(have->series, want->series);
	assert_int_equal(have->n_values, want->n_values);
	if (want->n_values)
		assert_memory_equal(c->values + have->first_value,
				    d->values.data + want->first_value,
				    want->n_values * sizeof(int64_t));
}

static void assert_chunk(const struct dict *d, const struct chunk *c)
{
	for (uint32_t id = c->first; id < c->first + c->count; id++) {
		if (c->section == SECTION_STRINGS)
			assert_string_equal(c->text + c->offsets[id - c->first],
					    strtab_get(d->strings, id));
		else if (c->section == SECTION_LABELSETS)
			assert_labelset(d, c, id);
		else
			assert_memory_equal(chunk_record(c, id), record_of(d, c->section, id),
					    record_size(c->section));
	}
}

static void pieces_come_back(void **state)
{
	struct filled f = fill();
	struct packer p = {0};
	uint64_t r = 5;

	(void)state;
	for (enum section s = 0; s < SECTION_COUNT; s++) {
		uint32_t n = dict_count(f.d, s), first = 0;

		assert_true(n > 1);
		while (first < n) {
			uint32_t count = 1 + rnd_below(&r, n - first);
			struct buf b = {0};
			struct chunk c;

			MUST(chunk_encode(&p, &b, f.d, NULL, s, first, count, 3));
			MUST(chunk_decode(&p, &c, s, first, count, b.data, b.len));
			assert_chunk(f.d, &c);
			chunk_release(&c);
			buf_release(&b);
			first += count;
		}
	}
	packer_release(&p);
	filled_release(&f);
}

/* Every byte of a compressed piece is under its checksum: whatever is changed is noticed. */
static void changed_pieces_are_refused(void **state)
{
	struct filled f = fill();
	struct packer p = {0};
	uint64_t r = 6;

	(void)state;
	for (enum section s = 0; s < SECTION_COUNT; s++) {
		uint32_t n = dict_count(f.d, s);
		struct buf b = {0};
		struct chunk c;

		MUST(chunk_encode(&p, &b, f.d, NULL, s, 0, n, 3));
		for (int i = 0; i < 200; i++) {
			char *byte = b.data + rnd_below(&r, (uint32_t)b.len), was = *byte;
			int err;

			*byte ^= (char)(1 << rnd_below(&r, 8));
			err = chunk_decode(&p, &c, s, 0, n, b.data, b.len);
			/* One bit of a frame's header says nothing. */
			if (!err)
				assert_chunk(f.d, &c);
			if (!err)
				chunk_release(&c);
			else
				assert_int_equal(err, -EBADMSG);
			*byte = was;
		}
		assert_int_equal(chunk_decode(&p, &c, s, 0, n, b.data, b.len / 2), -EBADMSG);
		assert_int_equal(chunk_decode(&p, &c, s, 0, n + 1, b.data, b.len), -EBADMSG);
		assert_int_equal(chunk_decode(&p, &c, s, 0, n - 1, b.data, b.len), -EBADMSG);
		assert_int_equal(chunk_decode(&p, &c, s, 0, UINT32_MAX, b.data, b.len), -EBADMSG);
		assert_int_equal(chunk_decode(&p, &c, s, 0, n, NULL, 0), -EBADMSG);
		buf_release(&b);
	}
	packer_release(&p);
	filled_release(&f);
}

/* Random contents behind a good checksum: never a crash, and what is accepted refers backwards. */
static void invented_pieces_hurt_nobody(void **state)
{
	struct packer p = {0};
	uint64_t r = 7;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		enum section s = (enum section)rnd_below(&r, SECTION_COUNT);
		uint32_t count = 1 + rnd_below(&r, 20), first = rnd_below(&r, 3) * 1000;
		struct buf b = {0};
		struct chunk c;

		buf_clear(&p.raw);
		for (uint32_t n = rnd_below(&r, 100); n > 0; n--)
			buf_char(&p.raw, (char)(rnd_below(&r, 4) ? rnd_below(&r, 8) : rnd(&r)));
		MUST(pack(&p, &b, 1));
		if (!chunk_decode(&p, &c, s, first, count, b.data, b.len)) {
			for (uint32_t k = 0; s == SECTION_STACKS && k < count; k++) {
				const struct dict_stack *node = chunk_record(&c, first + k);

				assert_true(node->parent == DICT_NONE || node->parent < first + k);
			}
			for (uint32_t k = 0; s == SECTION_STRINGS && k < count; k++)
				assert_true(strlen(c.text + c.offsets[k]) < 1000);
			chunk_release(&c);
		}
		buf_release(&b);
	}
	packer_release(&p);
}

static void assert_same_window(const struct dict_window *a, const struct dict_window *b)
{
	assert_int_equal(a->n_types, b->n_types);
	assert_int_equal(a->samples.len, b->samples.len);
	for (size_t i = 0; i < a->samples.len; i++) {
		const struct dict_sample *x = &a->samples.data[i], *y = &b->samples.data[i];

		assert_int_equal(x->labelset, y->labelset);
		assert_int_equal(x->stack, y->stack);
		assert_memory_equal(a->values.data + x->first_value,
				    b->values.data + y->first_value, a->n_types * sizeof(int64_t));
	}
	assert_int_equal(a->blame.len, b->blame.len);
	if (a->blame.len)
		assert_memory_equal(a->blame.data, b->blame.data,
				    a->blame.len * sizeof(*a->blame.data));
}

static void windows_come_back(void **state)
{
	struct filled f = fill();
	struct packer p = {0};
	struct dict_window back = {0}, empty = {0};

	(void)state;
	MUST(vec_push(&f.w[1].blame, (struct dict_blame){3, DICT_NONE, UINT64_MAX, 0, 7}));
	MUST(vec_push(&f.w[1].blame, (struct dict_blame){0, 0, 1, 2, 3}));
	for (int i = 0; i < 6; i++) {
		struct buf b = {0};

		MUST(counts_encode(&p, &b, &f.w[i], 6));
		MUST(counts_decode(&p, &back, b.data, b.len)); /* again and again into one */
		assert_same_window(&back, &f.w[i]);
		for (size_t cut = 0; cut < b.len; cut += 7)
			assert_int_equal(counts_decode(&p, &back, b.data, cut), -EBADMSG);
		buf_release(&b);
	}
	for (int i = 0; i < 1; i++) {
		struct buf b = {0};

		MUST(counts_encode(&p, &b, &empty, 6));
		MUST(counts_decode(&p, &back, b.data, b.len));
		assert_same_window(&back, &empty);
		buf_release(&b);
	}
	dict_window_release(&back);
	packer_release(&p);
	filled_release(&f);
}

static void invented_windows_hurt_nobody(void **state)
{
	struct packer p = {0};
	struct dict_window w = {0};
	uint64_t r = 8;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct buf b = {0};

		buf_clear(&p.raw);
		for (uint32_t n = rnd_below(&r, 60); n > 0; n--)
			buf_char(&p.raw, (char)(rnd_below(&r, 3) ? rnd_below(&r, 6) : rnd(&r)));
		MUST(pack(&p, &b, 1));
		if (!counts_decode(&p, &w, b.data, b.len))
			for (size_t k = 0; k < w.samples.len; k++)
				assert_true(w.samples.data[k].first_value + w.n_types <=
					    w.values.len);
		buf_release(&b);
	}
	dict_window_release(&w);
	packer_release(&p);
}

/* --- another order -------------------------------------------------------------------------------- */

static void print_stack(struct buf *b, const struct dict *d, const struct dict_order *o,
			const struct chunk *c, uint32_t id)
{
	(void)d;
	while (id != DICT_NONE) {
		const struct dict_stack *s = chunk_record(c, id);

		buf_printf(b, " %" PRIu32, o->old_of[SECTION_LOCATIONS][s->location]);
		id = s->parent;
	}
}

/* In the new numbers every stack has the same locations, and every parent comes before its child. */
static void another_order_says_the_same(void **state)
{
	struct filled f = fill();
	struct dict_order *o;
	struct packer p = {0};
	struct buf stacks = {0};
	struct chunk c;

	(void)state;
	MUST(order_new(&o, f.d));
	for (int i = 0; i < 3; i++)
		order_mark(o, f.d, &f.w[i]); /* the others are used no more */
	MUST(order_finish(o, f.d));
	for (enum section s = 0; s < SECTION_COUNT; s++) {
		assert_true(o->count[s] <= dict_count(f.d, s));
		for (uint32_t i = 0; i < o->count[s]; i++)
			assert_int_equal(o->new_of[s][o->old_of[s][i]], i);
	}
	assert_true(o->count[SECTION_STACKS] < dict_count(f.d, SECTION_STACKS));
	MUST(chunk_encode(&p, &stacks, f.d, o, SECTION_STACKS, 0, o->count[SECTION_STACKS], 3));
	MUST(chunk_decode(&p, &c, SECTION_STACKS, 0, o->count[SECTION_STACKS], stacks.data,
			  stacks.len));
	for (size_t i = 0; i < f.w[2].samples.len; i++) {
		uint32_t old = f.w[2].samples.data[i].stack, id = old;
		struct buf want = {0}, have = {0};

		for (; id != DICT_NONE; id = f.d->stacks.data[id].parent)
			buf_printf(&want, " %" PRIu32, f.d->stacks.data[id].location);
		print_stack(&have, f.d, o, &c,
			    old == DICT_NONE ? old : o->new_of[SECTION_STACKS][old]);
		assert_string_equal(buf_cstr(&have), buf_cstr(&want));
		buf_release(&want);
		buf_release(&have);
	}
	chunk_release(&c);
	buf_release(&stacks);
	order_free(o);
	packer_release(&p);
	filled_release(&f);
}

static void series_are_texts(void **state)
{
	struct series_label l;
	struct buf b = {0};
	const char *at;

	(void)state;
	series_add(&b, "comm", "a=b", false);
	series_add(&b, "pid", "", true);
	at = buf_cstr(&b);
	assert_true(series_next(&at, &l));
	assert_int_equal(l.key_len, 4);
	assert_memory_equal(l.value, "a=b", l.value_len);
	assert_false(l.is_number);
	assert_true(series_next(&at, &l));
	assert_true(l.is_number);
	assert_int_equal(l.value_len, 0);
	assert_false(series_next(&at, &l));
	at = "no series";
	assert_false(series_next(&at, &l));
	at = "key\x01no end";
	assert_false(series_next(&at, &l));
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_come_back),
		cmocka_unit_test(changed_pieces_are_refused),
		cmocka_unit_test(invented_pieces_hurt_nobody),
		cmocka_unit_test(windows_come_back),
		cmocka_unit_test(invented_windows_hurt_nobody),
		cmocka_unit_test(another_order_says_the_same),
		cmocka_unit_test(series_are_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
