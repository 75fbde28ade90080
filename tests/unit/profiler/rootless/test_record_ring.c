// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of processes and samples, read back as the sideband reads it: whole, in order, and around the end of the
 * ring. What finds no room is counted. */
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "bpf/abi.h"
#include "profiler/procs/events.h"
#include "profiler/procs/ring.h"
#include "profiler/rootless/record_ring.h"
#include "profiler/rootless/sample_record.h"
#include "profiler/rootless/stop_one.h"
#include "profiler/rootless/tell.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define RING_BYTES (256u << 10)

static struct record_ring *ring;
static struct ring reader;
static uint8_t scratch[RING_SCRATCH];

static int begin(void **state)
{
	(void)state;
	reader = (struct ring){.size = RING_BYTES, .scratch = scratch};
	if (record_ring_new(&ring, RING_BYTES))
		return -1;
	reader.data = (uint8_t *)record_ring_pages(ring) + sysconf(_SC_PAGESIZE);
	return 0;
}

static int end(void **state)
{
	(void)state;
	record_ring_free(ring);
	record_ring_free(NULL);
	return 0;
}

/* The next event. Its record may be in the scratch. */
static bool next(struct event *e)
{
	struct perf_event_mmap_page *page = record_ring_pages(ring);
	const void *record;
	size_t len;

	reader.head = page->data_head;
	record = ring_peek(&reader, &len);
	if (!record)
		return false;
	assert_int_equal(event_parse(e, record, len), 0);
	ring_skip(&reader, len);
	page->data_tail = reader.tail;
	return true;
}

TEST(test_processes)
{
	struct event e;

	tell_fork(ring, 10, 200, 200, 100);
	tell_comm(ring, 11, 200, 200, "a name", true);
	tell_comm(ring, 12, 200, 201, "", false);
	tell_exit(ring, 13, 200, 201);
	assert_true(next(&e));
	assert_int_equal(e.kind, EVENT_FORK);
	assert_int_equal(e.t_ns, 10);
	assert_int_equal(e.tgid, 200);
	assert_int_equal(e.parent_tgid, 100);
	assert_true(next(&e));
	assert_int_equal(e.kind, EVENT_EXEC);
	assert_string_equal(e.name, "a name");
	assert_true(next(&e));
	assert_int_equal(e.kind, EVENT_COMM);
	assert_int_equal(e.tid, 201);
	assert_string_equal(e.name, "");
	assert_true(next(&e));
	assert_int_equal(e.kind, EVENT_EXIT);
	assert_int_equal(e.t_ns, 13);
	assert_false(next(&e));
}

static struct stopped *stopped(uint32_t stack_len)
{
	struct stopped *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->t_ns = 77;
	for (uint64_t i = 0; i < UNWIND_REGS; i++)
		s->regs[i] = 1000 + i;
	s->stack_len = stack_len;
	for (uint32_t i = 0; i < stack_len; i++)
		s->stack[i] = (uint8_t)(i * 7);
	return s;
}

/* Of all sizes of stacks, so many that the ring ends within a record. */
TEST(test_samples)
{
	for (uint32_t len = 0; len <= SAMPLE_STACK_MAX; len += 997) {
		struct stopped *s = stopped(len);
		struct sample_record r;
		struct event e;

		s->is_compat = len % 2;
		tell_sample(ring, 300, 301, 5000 + len, s);
		assert_true(next(&e));
		assert_int_equal(e.kind, EVENT_SAMPLE);
		assert_int_equal(e.t_ns, 77);
		assert_int_equal(e.tgid, 300);
		assert_int_equal(e.tid, 301);
		assert_int_equal(sample_record_parse(&r, e.body), 0);
		assert_int_equal(r.period_ns, 5000 + len);
		assert_int_equal(r.is_compat, len % 2);
		assert_memory_equal(r.regs, s->regs, sizeof(r.regs));
		assert_int_equal(r.stack_len, len);
		if (len)
			assert_memory_equal(r.stack, s->stack, len);
		free(s);
	}
}

TEST(test_what_finds_no_room_is_counted)
{
	struct stopped *s = stopped(SAMPLE_STACK_MAX);
	uint64_t told = 0, lost = 0;
	struct event e;

	for (int i = 0; i < 20; i++)
		tell_sample(ring, 300, 300, 1, s);
	for (; next(&e); lost += e.lost)
		told += e.kind == EVENT_SAMPLE;
	assert_int_equal(told, RING_BYTES / SAMPLE_STACK_MAX);
	tell_exit(ring, 80, 300, 300); /* what comes next says how many */
	while (next(&e))
		lost += e.lost;
	assert_int_equal(told + lost, 20);
	free(s);
}

/* A sample of so many bytes in the ring: the header, where and when, and the rest. */
static void put(size_t bytes)
{
	static const uint8_t rest[64];
	const struct iovec part = {(void *)rest, bytes - 32};

	record_ring_put_sample(ring, 1, 300, 300, &part, 1);
}

/* Samples and how many the ring says are lost, until nothing is left. */
static uint64_t read_all(uint64_t *lost)
{
	uint64_t samples = 0;
	struct event e;

	for (*lost = 0; next(&e); *lost += e.lost)
		samples += e.kind == EVENT_SAMPLE;
	return samples;
}

/* To the last byte, and no further; twice, so that the end is within it. */
TEST(test_a_full_ring)
{
	uint64_t lost;

	for (int i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < RING_BYTES / 64 - 1; k++)
			put(64);
		put(72);
		assert_int_equal(read_all(&lost), RING_BYTES / 64 - 1);
		assert_int_equal(lost, 0);
		put(64);
		assert_int_equal(read_all(&lost), 1);
		assert_int_equal(lost, 1);
	}
	for (uint32_t k = 0; k < RING_BYTES / 64; k++)
		put(64);
	assert_int_equal(read_all(&lost), RING_BYTES / 64);
	put(64);
	assert_int_equal(read_all(&lost), 1);
	assert_int_equal(lost, 0);
}

/* Nothing comes behind what was lost before that is said, even if it had room: readers take it in order. */
TEST(test_losses_are_said_first)
{
	struct event e;
	uint64_t lost;

	put(32);
	put(32);
	for (uint32_t k = 0; k < RING_BYTES / 64 - 1; k++)
		put(64);
	put(64);
	put(64);
	assert_true(next(&e));
	put(32); /* where the first one was; less than the losses take */
	assert_int_equal(read_all(&lost), RING_BYTES / 64);
	assert_int_equal(lost, 0);
	put(32);
	assert_true(next(&e));
	assert_int_equal(e.lost, 3);
	assert_int_equal(read_all(&lost), 1);
}

TEST(test_a_quarter_wakes_the_reader_once)
{
	uint64_t woken = 0;

	for (uint32_t k = 0; k < RING_BYTES / 4 / 64 - 1; k++)
		put(64);
	assert_int_equal(read(record_ring_fd(ring), &woken, sizeof(woken)), -1);
	put(64);
	put(64);
	assert_int_equal(read(record_ring_fd(ring), &woken, sizeof(woken)), sizeof(woken));
	assert_int_equal(woken, 1);
}

/* Its own mappings, and then only what has come. */
TEST(test_mappings_are_told_once)
{
	struct told_maps told = {0};
	size_t maps = 0;
	bool own = false;
	struct event e;

	tell_maps(ring, 5, getpid(), &told);
	for (; next(&e); maps++) {
		assert_int_equal(e.kind, EVENT_MMAP);
		own |= (uint64_t)(uintptr_t)begin - e.start < e.len;
	}
	assert_int_equal(maps, told.all.len);
	assert_true(own);
	assert_true(told_maps_have(&told, (uint64_t)(uintptr_t)begin));
	assert_false(told_maps_have(&told, 1));
	tell_maps(ring, 6, getpid(), &told);
	assert_false(next(&e));
	vec_release(&told.all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_processes, begin, end),
		cmocka_unit_test_setup_teardown(test_samples, begin, end),
		cmocka_unit_test_setup_teardown(test_what_finds_no_room_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(test_a_full_ring, begin, end),
		cmocka_unit_test_setup_teardown(test_losses_are_said_first, begin, end),
		cmocka_unit_test_setup_teardown(test_a_quarter_wakes_the_reader_once, begin, end),
		cmocka_unit_test_setup_teardown(test_mappings_are_told_once, begin, end),
	};

	return cmocka_run_group_tests_name("record_ring", tests, NULL, NULL);
}
