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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mapping_records_are_bounded),
		cmocka_unit_test(replaced_return_addresses_are_put_back),
	};

	return cmocka_run_group_tests_name("drain_bounds", tests, NULL, NULL);
}
