// SPDX-License-Identifier: GPL-2.0-or-later
/* perf records, from bytes to the process table; the ring they come in; the text of maps. */
#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "profiler/base/buf.h"
#include "profiler/base/hash.h"
#include "profiler/procs/events.h"
#include "profiler/procs/maps.h"
#include "profiler/procs/ring.h"

/* --- making records --------------------------------------------------------------------------- */

static void put(struct buf *b, uint64_t v, size_t len)
{
	buf_add(b, &v, len);
}

static void begin(struct buf *b, uint32_t type, uint16_t misc)
{
	b->len = 0;
	put(b, type, 4);
	put(b, misc, 2);
	put(b, 0, 2);
}

/* The trailer of sample_id_all, and the size into the header. */
static void finish(struct buf *b, uint64_t t_ns)
{
	uint16_t size;

	put(b, 1, 4);
	put(b, 1, 4);
	put(b, t_ns, 8);
	put(b, 0, 8);
	size = (uint16_t)b->len;
	memcpy(b->data + 6, &size, 2);
}

static void put_name(struct buf *b, const char *name)
{
	buf_add(b, name, strlen(name) + 1);
	while (b->len % 8)
		buf_char(b, 0);
}

static void make_task(struct buf *b, uint32_t type, uint64_t t_ns, uint32_t tgid, uint32_t tid,
		      uint32_t parent)
{
	begin(b, type, 0);
	put(b, tgid, 4);
	put(b, parent, 4);
	put(b, tid, 4);
	put(b, parent, 4);
	put(b, t_ns, 8);
	finish(b, t_ns);
}

static void make_comm(struct buf *b, uint64_t t_ns, uint32_t tgid, const char *comm, bool exec)
{
	begin(b, PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0);
	put(b, tgid, 4);
	put(b, tgid, 4);
	put_name(b, comm);
	finish(b, t_ns);
}

static void make_mmap2(struct buf *b, uint64_t t_ns, uint32_t tgid, uint64_t start,
		       const char *path, uint8_t build_id_len, uint32_t prot)
{
	begin(b, PERF_RECORD_MMAP2, build_id_len ? PERF_RECORD_MISC_MMAP_BUILD_ID : 0);
	put(b, tgid, 4);
	put(b, tgid, 4);
	put(b, start, 8);
	put(b, 0x2000, 8);
	put(b, 0x3000, 8);
	if (build_id_len) {
		put(b, build_id_len, 4);
		for (int i = 0; i < 20; i++)
			put(b, 0xa0 + (unsigned)i, 1);
	} else {
		put(b, 8, 4);
		put(b, 1, 4);
		put(b, 4711, 8);
		put(b, 12, 8);
	}
	put(b, prot, 4);
	put(b, MAP_PRIVATE, 4);
	put_name(b, path);
	finish(b, t_ns);
}

/* Parsed out of an allocation of just its size, so that the sanitizer sees every byte too far. */
static int parse(struct event *e, const struct buf *b, size_t len)
{
	static uint8_t *copy; /* names point into it */

	free(copy);
	copy = malloc(len ?: 1);
	assert_non_null(copy);
	memcpy(copy, b->data, len);
	return event_parse(e, copy, len);
}

/* --- records ---------------------------------------------------------------------------------- */

static void test_task_records(void **state)
{
	struct buf b = {0};
	struct event e;

	(void)state;
	make_task(&b, PERF_RECORD_FORK, 77, 5, 6, 4);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_FORK);
	assert_int_equal(e.t_ns, 77);
	assert_int_equal(e.tgid, 5);
	assert_int_equal(e.tid, 6);
	assert_int_equal(e.parent_tgid, 4);
	make_task(&b, PERF_RECORD_EXIT, 78, 5, 5, 0);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_EXIT);
	assert_int_equal(e.parent_tgid, 0);
	/* of another pid namespace: 0 or -1 */
	make_task(&b, PERF_RECORD_FORK, 77, 0, 0, 4);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_OTHER);
	make_task(&b, PERF_RECORD_FORK, 77, UINT32_MAX, 1, 4);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_OTHER);
	make_task(&b, PERF_RECORD_EXIT, 77, 5, 0, 4);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_OTHER);
	make_task(&b, PERF_RECORD_FORK, 77, 5, 5, UINT32_MAX);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_FORK);
	assert_int_equal(e.parent_tgid, 0);
	buf_release(&b);
}

static void test_comm_records(void **state)
{
	struct buf b = {0};
	struct event e;

	(void)state;
	make_comm(&b, 5, 9, "cc1plus", true);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_EXEC);
	assert_string_equal(e.name, "cc1plus");
	make_comm(&b, 5, 9, "", false);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_COMM);
	assert_string_equal(e.name, "");
	buf_release(&b);
}

static void test_mmap2_records(void **state)
{
	struct buf b = {0};
	struct event e;

	(void)state;
	make_mmap2(&b, 5, 9, 0x400000, "/bin/x", 20, PROT_READ | PROT_EXEC);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_MMAP);
	assert_int_equal(e.start, 0x400000);
	assert_int_equal(e.len, 0x2000);
	assert_int_equal(e.file_off, 0x3000);
	assert_string_equal(e.file.path, "/bin/x");
	assert_int_equal(e.file.build_id.len, 20);
	assert_int_equal(e.file.build_id.data[19], 0xb3);
	assert_int_equal(e.file.inode, 0);
	make_mmap2(&b, 5, 9, 0x400000, "/bin/x", 0, PROT_READ | PROT_EXEC);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.file.build_id.len, 0);
	assert_int_equal(e.file.major, 8);
	assert_int_equal(e.file.minor, 1);
	assert_int_equal(e.file.inode, 4711);
	assert_int_equal(e.file.generation, 12);
	/* a build id that claims more than the record has room for */
	make_mmap2(&b, 5, 9, 0x400000, "/bin/x", 255, PROT_READ | PROT_EXEC);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.file.build_id.len, 20);
	make_mmap2(&b, 5, 9, 0x400000, "/bin/x", 20, PROT_READ);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_OTHER);
	buf_release(&b);
}

static void test_lost_records(void **state)
{
	struct buf b = {0};
	struct event e;

	(void)state;
	begin(&b, PERF_RECORD_LOST, 0);
	put(&b, 1, 8);
	put(&b, 1234, 8);
	finish(&b, 99);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_LOST);
	assert_int_equal(e.lost, 1234);
	begin(&b, 9999, 0); /* of a kernel to come */
	finish(&b, 99);
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_OTHER);
	assert_int_equal(e.t_ns, 99);
	buf_release(&b);
}

/* Cut anywhere, with the size in the header set right and not: an error, never a read too far. */
static void make_ksymbol(struct buf *b, uint64_t t_ns, uint64_t start, uint32_t len, uint16_t flags,
			 const char *name)
{
	begin(b, PERF_RECORD_KSYMBOL, 0);
	put(b, start, 8);
	put(b, len, 4);
	put(b, PERF_RECORD_KSYMBOL_TYPE_BPF, 2);
	put(b, flags, 2);
	put_name(b, name);
	finish(b, t_ns);
}

static void test_ksymbol(void **state)
{
	struct buf b = {0};
	struct event e;

	(void)state;
	make_ksymbol(&b, 77, 0xffffffffc0001000, 0x86, 0, "bpf_prog_6deef7357e7b4530");
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_CODE_BEGIN);
	assert_int_equal(e.t_ns, 77);
	assert_true(e.start == 0xffffffffc0001000);
	assert_int_equal(e.len, 0x86);
	assert_string_equal(e.name, "bpf_prog_6deef7357e7b4530");
	make_ksymbol(&b, 78, 0xffffffffc0001000, 0x86, PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER, "x");
	assert_int_equal(parse(&e, &b, b.len), 0);
	assert_int_equal(e.kind, EVENT_CODE_END);
	buf_release(&b);
}

/* The kernel makes the record of a symbol larger for each listener but the first: old bytes follow. */
static void test_ksymbol_of_a_second_listener(void **state)
{
	static const char *const names[] = {"x", "1234567", "12345678",
					    "bpf_prog_6deef7357e7b4530"};
	struct event e;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct buf b = {0};
		uint16_t size;

		make_ksymbol(&b, 77, 0xffffffffc0001000, 0x86, 0, names[i]);
		for (int listener = 0; listener < 3; listener++) {
			put(&b, UINT32_MAX, 8);
			put(&b, 1ull << 50, 8);
			put(&b, UINT32_MAX, 8);
			size = (uint16_t)b.len;
			memcpy(b.data + 6, &size, 2);
			assert_int_equal(parse(&e, &b, b.len), 0);
			assert_int_equal(e.t_ns, 77);
			assert_string_equal(e.name, names[i]);
		}
		buf_release(&b);
	}
}

static void test_cut_records(void **state)
{
	struct buf b = {0};
	struct event e;

	(void)state;
	for (int kind = 0; kind < 5; kind++) {
		if (kind == 0)
			make_mmap2(&b, 5, 9, 0x400000, "/bin/x", 20, PROT_EXEC);
		else if (kind == 1)
			make_comm(&b, 5, 9, "cc1plus", true);
		else if (kind == 4)
			make_ksymbol(&b, 5, 0x1000, 64, 0, "bpf_prog_1");
		else
			make_task(&b, kind == 2 ? PERF_RECORD_FORK : PERF_RECORD_LOST, 7, 5, 6, 4);
		for (size_t len = 0; len < b.len; len++) {
			assert_int_equal(parse(&e, &b, len), -EBADMSG);
			if (len >= 8) {
				uint16_t size = (uint16_t)len;
				char saved[2];

				memcpy(saved, b.data + 6, 2);
				memcpy(b.data + 6, &size, 2);
				/* a name is there with its end, or not at all */
				if (!parse(&e, &b, len) && e.kind == EVENT_MMAP)
					assert_string_equal(e.name, "/bin/x");
				if (!parse(&e, &b, len) && e.kind == EVENT_CODE_BEGIN)
					assert_string_equal(e.name, "bpf_prog_1");
				memcpy(b.data + 6, saved, 2);
			}
		}
	}
	make_comm(&b, 5, 9, "12345678", true);
	memset(b.data + 16, 'x', b.len - 24 - 16); /* no NUL up to the trailer */
	assert_int_equal(parse(&e, &b, b.len), -EBADMSG);
	make_comm(&b, UINT64_MAX, 9, "x", true); /* no such time */
	assert_int_equal(parse(&e, &b, b.len), -EBADMSG);
	buf_release(&b);
}

static void apply(struct procs *p, const struct buf *b)
{
	struct event e;

	assert_int_equal(parse(&e, b, b->len), 0);
	event_apply(&e, p, NULL);
}

static void test_applied(void **state)
{
	struct procs *p;
	struct buf b = {0};
	struct place place;

	(void)state;
	assert_int_equal(procs_new(&p, NULL), 0);
	make_task(&b, PERF_RECORD_FORK, 10, 5, 5, 4);
	apply(p, &b);
	make_comm(&b, 11, 5, "prog", true);
	apply(p, &b);
	make_mmap2(&b, 12, 5, 0x7000, "[vdso]", 0, PROT_EXEC);
	apply(p, &b);
	make_mmap2(&b, 12, 5, 0x20000, "//anon", 0, PROT_EXEC);
	apply(p, &b);
	make_mmap2(&b, 12, 5, 0x30000, "[uprobes]", 0, PROT_EXEC);
	apply(p, &b);
	procs_resolve(p, 5, 13, 0x7010, &place);
	assert_int_equal(place.kind, PLACE_VDSO);
	procs_resolve(p, 5, 13, 0x20010, &place);
	assert_int_equal(place.kind, PLACE_ANON);
	procs_resolve(p, 5, 13, 0x30010, &place);
	assert_int_equal(place.kind, PLACE_UNMAPPED);
	assert_string_equal(procs_image(p, 5, 13)->comm, "prog");
	make_task(&b, PERF_RECORD_EXIT, 20, 5, 5, 4);
	apply(p, &b);
	assert_int_equal(procs_image(p, 5, 13)->end_ns, 20);
	procs_free(p);
	buf_release(&b);
}

/* --- the ring --------------------------------------------------------------------------------- */

#define RING_SIZE 256

/* Records of all sizes through a small ring many times over come out as they went in. */
static void test_ring_wraps(void **state)
{
	uint8_t data[RING_SIZE], *scratch = malloc(RING_SCRATCH);
	struct ring r = {.data = data, .size = RING_SIZE, .scratch = scratch};
	uint64_t seed = 1, wrapped = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		uint8_t record[128];
		uint16_t size;
		size_t len;
		const uint8_t *got;

		seed = hash_u64(seed + 1);
		size = (uint16_t)(8 + 8 * (seed % 15));
		for (size_t k = 8; k < size; k++)
			record[k] = (uint8_t)(seed >> (k % 8) * 8);
		memset(record, 1, 6);
		memcpy(record + 6, &size, 2);
		for (size_t k = 0; k < size; k++)
			data[(r.head + k) % RING_SIZE] = record[k];
		r.head += size;
		got = ring_peek(&r, &len);
		assert_non_null(got);
		assert_int_equal(len, size);
		assert_memory_equal(got, record, size);
		wrapped += got == scratch;
		assert_ptr_equal(ring_peek(&r, &len), got); /* looking takes nothing */
		ring_skip(&r, len);
		assert_null(ring_peek(&r, &len));
		assert_int_equal(len, 0);
	}
	assert_true(wrapped > 100);
	free(scratch);
}

static void test_ring_of_nonsense(void **state)
{
	static const uint16_t sizes[] = {0, 7, 200, 65535};
	uint8_t data[RING_SIZE] = {0}, *scratch = malloc(RING_SCRATCH);
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ring r = {.data = data, .size = RING_SIZE, .scratch = scratch, .head = 100};

		memcpy(data + 6, &sizes[i], 2);
		assert_null(ring_peek(&r, &len));
		assert_true(len != 0);
		assert_int_equal(r.tail, r.head);
		assert_null(ring_peek(&r, &len));
		assert_int_equal(len, 0);
	}
	{ /* a head further away than the ring is large, and one behind the tail */
		struct ring r = {.data = data, .size = RING_SIZE, .scratch = scratch, .head = 1000};
		struct ring back = {
			.data = data, .size = RING_SIZE, .scratch = scratch, .head = 8, .tail = 16};

		assert_null(ring_peek(&r, &len));
		assert_int_equal(r.tail, 1000);
		assert_null(ring_peek(&back, &len));
		assert_int_equal(back.tail, 8);
	}
	free(scratch);
}

/* --- maps ------------------------------------------------------------------------------------- */

struct collected {
	struct maps_entry e[8];
	size_t n, stop_at;
};

static int collect(void *ctx, const struct maps_entry *e)
{
	struct collected *c = ctx;

	assert_in_range(c->n, 0, 7);
	c->e[c->n++] = *e;
	return c->n == c->stop_at;
}

static size_t parse_maps(struct collected *c, const char *text)
{
	memset(c, 0, sizeof(*c));
	return maps_parse(text, strlen(text), collect, c);
}

static void test_maps(void **state)
{
	static struct collected c;

	(void)state;
	assert_int_equal(
		parse_maps(&c,
			   "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus\n"
			   "00651000-00652000 r--p 00051000 08:02 173521      /usr/bin/dbus\n"
			   "35b1800000-35b1820000 r-xp 00001000 fe:0a 1 /a b/c (deleted)\n"
			   "7fffb2d48000-7fffb2d49000 rwxp 00000000 00:00 0 \n"
			   "7fffb2d49000-7fffb2d4a000 r-xs 00000000 00:01 5 /new\\012line\\040x\n"
			   "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]"),
		0);
	assert_int_equal(c.n, 5);
	assert_int_equal(c.e[0].start, 0x400000);
	assert_int_equal(c.e[0].end, 0x452000);
	assert_int_equal(c.e[0].inode, 173521);
	assert_int_equal(c.e[0].major, 8);
	assert_int_equal(c.e[0].minor, 2);
	assert_string_equal(c.e[0].path, "/usr/bin/dbus");
	assert_int_equal(c.e[1].file_off, 0x1000);
	assert_int_equal(c.e[1].major, 0xfe);
	assert_int_equal(c.e[1].minor, 10);
	assert_string_equal(c.e[1].path, "/a b/c (deleted)");
	assert_string_equal(c.e[2].path, "");
	assert_string_equal(c.e[3].path, "/new\nline\\040x"); /* only newlines are escaped */
	assert_string_equal(c.e[4].path, "[vsyscall]");
	assert_true(c.e[4].end == 0xffffffffff601000);
}

static void test_maps_nonsense(void **state)
{
	static const char *const bad[] = {
		"x",
		"-",
		"1-",
		"1-2",
		"1-2 ",
		"1-2 r-x",
		"1-2 r-xp",
		"1-2 r-xp 0",
		"1-2 r-xp 0 1",
		"1-2 r-xp 0 1:",
		"1-2 r-xp 0 1:1",
		"1-2 r-xp 0 1:1 ",
		"2-1 r-xp 0 0:0 0",
		"1-1 r-xp 0 0:0 0",
		"1-2 r-xp 0 100000000:0 0",
		"G-2 r-xp 0 0:0 0",
		"11111111111111111-2 r-xp 0 0:0 0",
		"1-2 r-xp 0 0:0 99999999999999999999999",
		"1-2  r-xp 0 0:0 0",
		"\n",
		"1 2 r-xp 0 0:0 0",
	};
	static struct collected c;
	char *line = malloc(6000);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse_maps(&c, bad[i]), 1);
		assert_int_equal(c.n, 0);
	}
	/* a bad line does not take the next along */
	assert_int_equal(parse_maps(&c, "nonsense\n1-2 r-xp 0 0:0 0 /x\n\n"), 2);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.e[0].path, "/x");
	/* a path one byte too long, and one that just fits */
	sprintf(line, "1-2 r-xp 0 0:0 0 /%04094d", 7);
	assert_int_equal(parse_maps(&c, line), 0);
	assert_int_equal(strlen(c.e[0].path), MAPS_PATH_MAX - 1);
	sprintf(line, "1-2 r-xp 0 0:0 0 /%04095d", 7);
	assert_int_equal(parse_maps(&c, line), 1);
	memset(&c, 0, sizeof(c));
	assert_int_equal(maps_parse("1-2 r-xp 0 0:0 0 /a\0b", 21, collect, &c), 1);
	free(line);
}

static void test_maps_ends_when_told(void **state)
{
	static struct collected c = {.stop_at = 1};
	static const char text[] = "1-2 r-xp 0 0:0 0 /x\n3-4 r-xp 0 0:0 0 /y\n";

	(void)state;
	assert_int_equal(maps_parse(text, strlen(text), collect, &c), 0);
	assert_int_equal(c.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_task_records),
		cmocka_unit_test(test_comm_records),
		cmocka_unit_test(test_mmap2_records),
		cmocka_unit_test(test_lost_records),
		cmocka_unit_test(test_ksymbol),
		cmocka_unit_test(test_ksymbol_of_a_second_listener),
		cmocka_unit_test(test_cut_records),
		cmocka_unit_test(test_applied),
		cmocka_unit_test(test_ring_wraps),
		cmocka_unit_test(test_ring_of_nonsense),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_maps_nonsense),
		cmocka_unit_test(test_maps_ends_when_told),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
