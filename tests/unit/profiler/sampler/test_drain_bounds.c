// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of mappings that come faster than they are handled, and what raw samples say of their stacks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/sampler/drain.c" /* NOLINT(bugprone-suspicious-include) */

/* As the ring hands it over. */
static void tell(struct drain *d, uint64_t time_ns)
{
	static struct kiln_mappings_record rec;

	rec.head.kind = KILN_RECORD_MAPPINGS;
	rec.head.n = KILN_MAPPINGS_MAX;
	rec.time_ns = time_ns;
	assert_int_equal(on_record(d, &rec, sizeof(rec)), 0);
}

static size_t take_all(struct drain *d, uint64_t first_ns)
{
	struct mappings_record *r;
	size_t n = 0;

	for (; (r = drain_next_mappings(d)); n++) {
		const struct kiln_mappings_record *rec = (const void *)r->head;

		assert_int_equal(rec->time_ns, first_ns + n);
		free(r);
	}
	return n;
}

/* What does not fit is dropped and counted, with the time of the first; then there is room again. */
static void mapping_records_are_bounded(void **state)
{
	const size_t fit = MAPPINGS_MAX_BYTES / sizeof(struct kiln_mappings_record);
	struct drain d = {0};
	struct drain_stats s;

	(void)state;
	for (uint64_t i = 0; i < fit + 7; i++)
		tell(&d, 1000 + i);
	drain_stats(&d, &s);
	assert_int_equal(s.mappings_dropped, 7);
	assert_int_equal(s.dropped_ns, 1000 + fit);
	assert_true(d.mappings_bytes <= MAPPINGS_MAX_BYTES);
	assert_int_equal(take_all(&d, 1000), fit);
	for (uint64_t i = 0; i < fit + 1; i++)
		tell(&d, 500000 + i);
	drain_stats(&d, &s);
	assert_int_equal(s.mappings_dropped, 8);
	assert_int_equal(s.dropped_ns, 500000 + fit); /* the first since then */
	assert_int_equal(s.failed + s.bad_records, 0);
	assert_int_equal(take_all(&d, 500000), fit);
	vec_release(&d.mappings);
}

/* The kernel says where uretprobes have replaced return addresses: not always in what was copied. */
static void replaced_return_addresses_are_put_back(void **state)
{
	const uint64_t sp = 0x7fff0800, base = sp - KILN_RED_ZONE;
	const size_t stack = 512, len = sizeof(struct kiln_raw_record) + stack;
	struct kiln_raw_record *rec = calloc(1, len);
	uint64_t want[512 / 8] = {[2] = 11, [63] = 12};
	struct raw_sample *r;
	struct drain d = {0};

	(void)state;
	assert_non_null(rec);
	rec->head.kind = KILN_RECORD_RAW;
	rec->head.n = (uint32_t)stack;
	rec->regs[UNWIND_RSP] = sp;
	rec->uprobes = 0x7fffffffe000;
	rec->replaced[0] = (struct kiln_replaced){base + 16, 11};
	rec->replaced[1] = (struct kiln_replaced){base + 504, 12};
	rec->replaced[2] = (struct kiln_replaced){base + 505, 13};
	rec->replaced[3] = (struct kiln_replaced){base - 8, 14};
	rec->replaced[4] = (struct kiln_replaced){base + 32, 15}; /* not said to be there */
	rec->n_replaced = 4;
	assert_int_equal(on_record(&d, rec, len), 0);
	r = raw_queue_next(drain_raw(&d));
	assert_non_null(r);
	assert_int_equal(r->uprobes, 0x7fffffffe000);
	assert_memory_equal(r->stack, want, stack);
	free(r);
	rec->n_replaced = UINT32_MAX; /* no more than there is room for */
	rec->is_compat = 1;	      /* in which nothing is put back */
	assert_int_equal(on_record(&d, rec, len), 0);
	r = raw_queue_next(drain_raw(&d));
	assert_true(r->is_compat);
	assert_memory_equal(r->stack, rec->stack, stack);
	free(r);
	free(rec);
	raw_queue_release(&d.raw);
}

static struct drain with_windows(void)
{
	struct drain d = {.filling = {window_new(), window_new()}};

	assert_non_null(d.filling[0]);
	assert_non_null(d.filling[1]);
	return d;
}

static void release(struct drain *d)
{
	window_free(d->filling[0]);
	window_free(d->filling[1]);
	raw_queue_release(&d->raw);
}

/* Of a stack that is too deep the leaf's end comes first and then the root's, and where some are missing is known. */
static void deep_stacks_are_put_in_order(void **state)
{
	static const uint32_t depths[] = {1, UNWIND_LEAF_FRAMES, UNWIND_FRAMES_MAX,
					  UNWIND_FRAMES_MAX + 1, 3 * UNWIND_FRAMES_MAX + 7};

	(void)state;
	for (uint32_t at = 0; at < sizeof(depths) / sizeof(*depths); at++) {
		uint32_t n = depths[at], kept = n < UNWIND_FRAMES_MAX ? n : UNWIND_FRAMES_MAX;
		struct kiln_stack_record rec = {.head = {.hash = 1000, .n = n}};
		struct drain d = with_windows();
		const struct window_stack *s;
		const uint64_t *frames;

		rec.head.window = at & 1;
		rec.head.end = UNWIND_END_DEEP;
		for (uint32_t i = 0; i < n; i++)
			rec.frames[UNWIND_FRAME_AT(i)] = i + 1;
		assert_int_equal(on_record(&d, &rec, sizeof(rec)), 0);
		assert_int_equal(d.filling[!(at & 1)]->stacks.len, 0);
		s = window_stack(d.filling[at & 1], KILN_SIDE_USER, 1000, &frames);
		assert_non_null(s);
		assert_int_equal(s->len, kept);
		assert_int_equal(s->end, UNWIND_END_DEEP);
		assert_int_equal(s->gap, n > kept ? UNWIND_LEAF_FRAMES : 0);
		for (uint32_t i = 0; i < kept; i++)
			assert_int_equal(frames[i],
					 i < UNWIND_LEAF_FRAMES ? i + 1 : n - kept + i + 1);
		release(&d);
	}
}

/* A raw sample belongs to the window that it names. */
static void raw_samples_belong_to_their_window(void **state)
{
	static struct kiln_raw_record rec;
	struct drain d = with_windows();

	(void)state;
	rec.head.kind = KILN_RECORD_RAW;
	for (int window = 0; window < 2; window++) {
		struct raw_sample *r;

		rec.head.window = (uint8_t)window;
		assert_int_equal(on_record(&d, &rec, sizeof(rec)), 0);
		r = raw_queue_next(drain_raw(&d));
		assert_non_null(r);
		assert_ptr_equal(r->into, d.filling[window]);
		free(r);
	}
	release(&d);
}

/* What is shorter than it says, or says what there is not, is left alone. */
static void unsound_records_are_counted(void **state)
{
	const size_t head = sizeof(struct kiln_record_head);
	const struct {
		struct kiln_record_head head;
		size_t len;
	} cases[] = {
		{{.n = 0}, head - 1},
		{{.n = 1}, head + 7},
		{{.n = UINT32_MAX}, head + UNWIND_FRAMES_MAX * 8 - 1},
		{{.window = 2}, head},
		{{.side = KILN_SIDE_KERNEL + 1}, head},
		{{.kind = KILN_RECORD_KINDS}, head},
		{{.kind = KILN_RECORD_RAW}, offsetof(struct kiln_raw_record, stack) - 1},
		{{.kind = KILN_RECORD_RAW, .n = 9}, offsetof(struct kiln_raw_record, stack) + 8},
		{{.kind = KILN_RECORD_RAW, .n = UINT32_MAX}, sizeof(struct kiln_raw_record)},
		{{.kind = KILN_RECORD_FILE, .n = 1}, offsetof(struct kiln_file_record, path)},
		{{.kind = KILN_RECORD_MAPPINGS, .n = 1},
		 offsetof(struct kiln_mappings_record, at) + sizeof(struct kiln_mapping) - 1},
	};
	const size_t n = sizeof(cases) / sizeof(*cases);
	static struct kiln_stack_record rec; /* larger than any of them */
	struct drain d = with_windows();
	struct drain_stats s;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		rec.head = cases[i].head;
		assert_int_equal(on_record(&d, &rec, cases[i].len), 0);
		drain_stats(&d, &s);
		assert_int_equal(s.bad_records, i + 1);
	}
	assert_int_equal(s.failed + s.mappings_dropped, 0);
	assert_int_equal(d.filling[0]->stacks.len + d.filling[1]->stacks.len, 0);
	assert_null(raw_queue_next(drain_raw(&d)));
	assert_null(drain_next_mappings(&d));
	release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mapping_records_are_bounded),
		cmocka_unit_test(replaced_return_addresses_are_put_back),
		cmocka_unit_test(deep_stacks_are_put_in_order),
		cmocka_unit_test(raw_samples_belong_to_their_window),
		cmocka_unit_test(unsound_records_are_counted),
	};

	return cmocka_run_group_tests_name("drain_bounds", tests, NULL, NULL);
}
