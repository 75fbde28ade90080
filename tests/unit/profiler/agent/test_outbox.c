// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows between the sampler and the store writer: an outbox at one end, and at the other end a test that
 * acknowledges, refuses, dies, or is what a sampler that was taken over would be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/agent/control.h"
#include "profiler/agent/outbox.h"
#include "profiler/agent/window_wire.h"
#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/formats/export.h"
#include "symbolizer/sandbox/message.h"
#include "tests/lib/profiles.h"

#define S 1000000000ll

struct ends {
	struct outbox *outbox;
	int writer;
};

static void connect_ends(struct ends *e)
{
	int pair[2];

	assert_int_equal(control_pair(pair), 0);
	outbox_connect(e->outbox, pair[0]);
	e->writer = pair[1];
}

static void open_ends(struct ends *e, size_t windows_max)
{
	assert_int_equal(outbox_new(&e->outbox, windows_max), 0);
	connect_ends(e);
}

static void close_ends(struct ends *e)
{
	outbox_free(e->outbox);
	close(e->writer);
}

/* A window of n samples that begins at that second. */
static int put(struct ends *e, int64_t second, uint64_t n)
{
	struct quality q = {.expected = n + 5, .idle = 3, .recorded = n};
	struct profile *p = random_profile((uint64_t)second, 20);
	int err;

	q.lost[LOSS_map_full] = 2;
	MUST(quality_store(p, &q));
	err = outbox_put(e->outbox, p, &q, second * S, S);
	profile_free(p);
	return err;
}

static struct window_head receive(struct ends *e)
{
	struct arrived_window w;
	struct window_head h;

	assert_int_equal(window_recv(e->writer, &w), 1);
	h = w.head;
	assert_non_null(w.profile);
	assert_int_equal(w.quality.idle, 3);
	window_release(&w);
	return h;
}

static void receive_nothing(struct ends *e)
{
	struct arrived_window w;

	assert_int_equal(window_recv(e->writer, &w), 0);
}

static void acknowledge(struct ends *e, uint64_t seq, int err)
{
	const struct window_ack a = {.seq = seq, .err = err};

	assert_int_equal(window_ack_send(e->writer, &a), 0);
	outbox_turn(e->outbox);
}

static void assert_counts(struct ends *e, uint64_t stored, uint64_t lost, uint64_t waiting,
			  uint64_t unsent)
{
	struct outbox_counts n;

	outbox_counts(e->outbox, &n);
	assert_int_equal(n.stored, stored);
	assert_int_equal(n.lost, lost);
	assert_int_equal(n.waiting, waiting);
	assert_int_equal(n.unsent, unsent);
}

static void test_windows_arrive_as_they_were(void **state)
{
	struct profile *p = random_profile(7, 300);
	struct quality q = {.expected = 10, .recorded = 9};
	char *before = NULL, *after = NULL;
	struct arrived_window w;
	struct ends e;

	(void)state;
	q.lost[LOSS_memory] = 1;
	MUST(quality_store(p, &q));
	open_ends(&e, 0);
	assert_int_equal(outbox_put(e.outbox, p, &q, 5 * S, 2 * S), 0);
	assert_int_equal(window_recv(e.writer, &w), 1);
	assert_int_equal(w.head.begin_unix_ns, 5 * S);
	assert_int_equal(w.head.duration_ns, 2 * S);
	assert_int_equal(w.head.again, 0);
	assert_memory_equal(&w.quality, &q, offsetof(struct quality, blame));
	before = print_profile(p);
	after = print_profile(w.profile);
	assert_string_equal(before, after);
	free(before);
	free(after);
	window_release(&w);
	profile_free(p);
	close_ends(&e);
}

static void test_acknowledged_and_refused(void **state)
{
	struct quality lost;
	struct ends e;

	(void)state;
	open_ends(&e, 0);
	assert_int_equal(put(&e, 1, 100), 0);
	assert_int_equal(put(&e, 2, 200), 0);
	assert_counts(&e, 0, 0, 2, 0);
	assert_int_equal(receive(&e).seq, 1);
	assert_int_equal(receive(&e).seq, 2);
	acknowledge(&e, 1, 0);
	assert_counts(&e, 1, 0, 1, 0);
	acknowledge(&e, 1, 0); /* twice, and one that never was */
	acknowledge(&e, 99, 0);
	assert_counts(&e, 1, 0, 1, 0);
	acknowledge(&e, 2, -ENOSPC);
	assert_counts(&e, 1, 1, 0, 0);
	outbox_take_lost(e.outbox, &lost);
	assert_int_equal(lost.expected, 205);
	assert_int_equal(lost.idle, 3);
	assert_int_equal(lost.recorded, 0);
	assert_int_equal(lost.lost[LOSS_map_full], 2);
	assert_int_equal(lost.lost[LOSS_not_stored], 200);
	assert_int_equal(lost.windows_lost, 1);
	assert_int_equal(quality_unaccounted(&lost), 0);
	outbox_take_lost(e.outbox, &lost);
	assert_int_equal(lost.expected, 0);
	close_ends(&e);
}

static void test_a_writer_that_dies(void **state)
{
	struct window_head h;
	struct ends e;

	(void)state;
	open_ends(&e, 0);
	assert_int_equal(put(&e, 1, 100), 0);
	receive(&e); /* it may have stored it */
	close(e.writer);
	assert_int_equal(put(&e, 2, 100), 0);
	assert_counts(&e, 0, 0, 2, 1);
	outbox_turn(e.outbox);
	connect_ends(&e);
	h = receive(&e);
	assert_int_equal(h.seq, 1);
	assert_int_equal(h.again, 1);
	h = receive(&e);
	assert_int_equal(h.seq, 2);
	assert_int_equal(h.again, 0);
	acknowledge(&e, 2, 0);
	acknowledge(&e, 1, 0);
	assert_counts(&e, 2, 0, 0, 0);
	assert_int_equal(outbox_flush(e.outbox, 0), 0);
	close_ends(&e);
}

/* A writer that was taken over: what it has not got yet is not stored because it says so. */
static void test_an_acknowledgement_of_what_was_not_sent(void **state)
{
	struct outbox_counts n = {0};
	int pair[2], little = 1;
	struct ends e;

	(void)state;
	assert_int_equal(outbox_new(&e.outbox, 500), 0);
	assert_int_equal(control_pair(pair), 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
	outbox_connect(e.outbox, pair[0]);
	e.writer = pair[1];
	while (!n.unsent && n.waiting < 500) {
		assert_int_equal(put(&e, 1, 1), 0);
		outbox_counts(e.outbox, &n);
	}
	assert_true(n.unsent == 1 && n.waiting > 1);
	acknowledge(&e, n.waiting, 0); /* it is the last one */
	assert_counts(&e, 0, 0, n.waiting, 1);
	acknowledge(&e, 1, 0);
	assert_counts(&e, 1, 0, n.waiting - 1, 1);
	close_ends(&e);
}

/* Many windows, of which few wait at once, are no more than may wait. */
static void test_room_for_windows_comes_back(void **state)
{
	struct profile *p = random_profile(3, 8000);
	struct quality q = {.expected = 8, .recorded = 5, .idle = 3};
	size_t bytes = 0;
	struct ends e;

	(void)state;
	MUST(quality_store(p, &q));
	open_ends(&e, 0);
	assert_int_equal(outbox_put(e.outbox, p, &q, S, S), 0); /* this one stays */
	receive(&e);
	for (uint64_t seq = 2; bytes < 2 * OUTBOX_BYTES_MAX; seq++) {
		assert_int_equal(outbox_put(e.outbox, p, &q, S, S), 0);
		bytes += receive(&e).bytes;
		acknowledge(&e, seq, 0);
	}
	profile_free(p);
	close_ends(&e);
}

/* Those that were sent stay: the writer may be about to store them. */
static void test_a_writer_that_hangs(void **state)
{
	struct quality lost;
	struct ends e;

	(void)state;
	open_ends(&e, 2);
	assert_int_equal(put(&e, 1, 1), 0);
	assert_int_equal(put(&e, 2, 2), 0);
	assert_int_equal(put(&e, 3, 4), -EDQUOT);
	assert_int_equal(put(&e, 4, 8), -EDQUOT);
	assert_counts(&e, 0, 2, 2, 0);
	outbox_take_lost(e.outbox, &lost);
	assert_int_equal(lost.lost[LOSS_not_stored], 12);
	assert_int_equal(lost.windows_lost, 2);
	assert_int_equal(outbox_flush(e.outbox, 0), -ETIMEDOUT);
	assert_int_equal(receive(&e).seq, 1);
	acknowledge(&e, 1, 0);
	assert_int_equal(put(&e, 5, 16), 0);
	assert_int_equal(receive(&e).seq, 2);
	assert_int_equal(receive(&e).seq, 5);
	receive_nothing(&e);
	close_ends(&e);
}

/* Descriptors end with the windows, whatever became of those. */
static void test_nothing_is_left_open(void **state)
{
	struct ends e;
	int first, last;

	(void)state;
	open_ends(&e, 3);
	first = dup(0);
	close(first);
	for (int64_t i = 1; i < 50; i++) {
		put(&e, i, 1);
		if (i % 3)
			acknowledge(&e, receive(&e).seq, i % 2 ? 0 : -EIO);
	}
	close_ends(&e);
	last = dup(0);
	close(last);
	assert_in_range(last, 0, first);
}

/* --- what a writer is sent by a sampler that has been taken over --------------------------------- */

static int memory_file(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(write(fd, data, len), (ssize_t)len);
	return fd;
}

static void assert_refused(const void *head, size_t len, int fd, int wanted)
{
	struct arrived_window w;
	int pair[2];

	assert_int_equal(control_pair(pair), 0);
	assert_int_equal(wire_send(pair[0], head, len, fd), 0);
	assert_int_equal(window_recv(pair[1], &w), wanted);
	assert_null(w.profile);
	assert_int_equal(window_recv(pair[1], &w), 0);
	close(pair[0]);
	assert_int_equal(window_recv(pair[1], &w), -ECONNRESET);
	close(pair[1]);
	if (fd >= 0)
		close(fd);
}

static void test_hostile_windows(void **state)
{
	struct window_head h = {.seq = 1, .bytes = 4, .begin_unix_ns = 1, .duration_ns = 1};
	struct window_head bad;
	int pipes[2];

	(void)state;
	assert_refused(&h, sizeof(h), -1, -EBADMSG);			     /* no file */
	assert_refused(&h, sizeof(h) - 1, memory_file("abcd", 4), -EBADMSG); /* no header */
	assert_refused("", 1, -1, -EBADMSG);
	assert_refused(&h, sizeof(h), memory_file("abcd", 4), -EBADMSG); /* no profile */
	assert_refused(&h, sizeof(h), memory_file("abc", 3), -EBADMSG);	 /* shorter, longer */
	assert_refused(&h, sizeof(h), memory_file("abcde", 5), -EBADMSG);
	assert_int_equal(pipe(pipes), 0);
	assert_refused(&h, sizeof(h), pipes[0], -EBADMSG);
	close(pipes[1]);
	bad = h;
	bad.bytes = WINDOW_BYTES_MAX + 1ull;
	assert_refused(&bad, sizeof(bad), memory_file("abcd", 4), -EBADMSG);
	bad.bytes = 0;
	assert_refused(&bad, sizeof(bad), memory_file("", 0), -EBADMSG);
	bad = h;
	bad.begin_unix_ns = -1;
	assert_refused(&bad, sizeof(bad), memory_file("abcd", 4), -EBADMSG);
	bad = h;
	bad.duration_ns = UINT64_MAX;
	assert_refused(&bad, sizeof(bad), memory_file("abcd", 4), -EBADMSG);
	bad = h;
	bad.again = 2;
	assert_refused(&bad, sizeof(bad), memory_file("abcd", 4), -EBADMSG);
}

/* A profile of another program has no quality. */
static void test_a_profile_without_quality(void **state)
{
	struct profile *p = random_profile(3, 10);
	struct window_head h = {.seq = 1, .begin_unix_ns = 1, .duration_ns = 1};
	struct buf b = {0};

	(void)state;
	MUST(export_pprof(&b, p));
	h.bytes = b.len;
	assert_refused(&h, sizeof(h), memory_file(b.data, b.len), -EBADMSG);
	buf_release(&b);
	profile_free(p);
}

static int quiet(void **state)
{
	(void)state;
	log_set_level(LOG_QUIET);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows_arrive_as_they_were),
		cmocka_unit_test(test_acknowledged_and_refused),
		cmocka_unit_test(test_a_writer_that_dies),
		cmocka_unit_test(test_an_acknowledgement_of_what_was_not_sent),
		cmocka_unit_test(test_room_for_windows_comes_back),
		cmocka_unit_test(test_a_writer_that_hangs),
		cmocka_unit_test(test_nothing_is_left_open),
		cmocka_unit_test(test_hostile_windows),
		cmocka_unit_test(test_a_profile_without_quality),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
