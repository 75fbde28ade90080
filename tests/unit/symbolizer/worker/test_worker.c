// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The symbolizer in a process of its own: the same answers, and what becomes of them when that
 * process crashes, hangs, starves or lies. Its misbehaviour is picked by the name of the file.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "symbolizer/sandbox/sandbox.h"
#include "symbolizer/worker/broker.h"
#include "tests/lib/served.h"

DEFINE_CLEANUP(broker, broker_free)

static int64_t clock_ahead_s;

/* Instead of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
	int err = (int)syscall(SYS_clock_gettime, clock, t);

	if (clock == CLOCK_MONOTONIC)
		t->tv_sec += clock_ahead_s;
	return err;
}

/* --- the same answers ------------------------------------------------------------------------- */

static void print_result(void *ctx, size_t index, const struct sym_result *r)
{
	struct buf *out = (struct buf *)ctx + index;

	buf_printf(out, "%lx %d\n", (unsigned long)r->elf_va, (int)r->reason);
	for (size_t i = 0; i < r->n_frames; i++)
		buf_printf(out, "%s|%s|%s|%u|%u\n", r->frames[i].name, r->frames[i].raw_name,
			   r->frames[i].file ?: "-", r->frames[i].line, r->frames[i].start_line);
}

/* Answers for every `step`th offset of a file's executable segment, in both ways. */
static void compare(struct lookup *lookup, struct worker *w, const char *path, uint64_t step)
{
	_cleanup_close_ int fd = fixture_open(path);
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = path};
	const struct elf_segment *segs;
	struct elf_segment a, b;
	size_t n_segs, n = 0, named = 0;
	uint64_t off[512];
	struct buf here[512] = {{0}}, there[512] = {{0}};
	struct sym_query q = {.file = &file, .offsets = true, .addr = off};

	assert_int_equal(lookup_segments(lookup, &file, &segs, &n_segs), 0);
	for (size_t i = 0; i < n_segs; i++)
		for (uint64_t o = 0; segs[i].exec && o < segs[i].file_len && n < 512; o += step)
			off[n++] = segs[i].file_off + o;
	assert_true(n > 100);
	q.n = n;
	assert_int_equal(lookup_resolve(lookup, &q, print_result, here), 0);
	assert_int_equal(worker_resolve(w, &q, print_result, there), 0);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(buf_cstr(&there[i]), buf_cstr(&here[i]));
		named += !strstr(here[i].data, "+0x");
		buf_release(&here[i]);
		buf_release(&there[i]);
	}
	assert_true(named > n / 2);
	for (uint64_t va = 0; va < 1 << 20; va += 4096) {
		int err = lookup_segment(lookup, &file, va, &a);

		assert_int_equal(worker_segment(w, &file, va, &b), err);
		assert_true(err || (a.va == b.va && a.mem_len == b.mem_len &&
				    a.file_off == b.file_off && b.exec));
	}
}

static void test_same_answers(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup(), *copied = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(copied, NULL);
	struct symbolizer_stats stats;
	struct link_map *map = NULL;
	char self[4096] = "";

	(void)state;
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	compare(lookup, w, self, 997);
	assert_int_equal(dlinfo(dlopen("libc.so.6", RTLD_NOW), RTLD_DI_LINKMAP, &map), 0);
	compare(lookup, w, map->l_name, 2999);
	compare(lookup, w, fixture_at("prog"), 3);
	worker_stats(w, &stats);
	assert_int_equal(stats.worker_restarts, 0);
	assert_true(worker_sandbox_parts(w) & SANDBOX_BIT(no_new_privs));
}

/* --- misbehaviour ----------------------------------------------------------------------------- */

static void send_result(struct wire_writer *w, size_t index, const char *name)
{
	struct sym_frame f = {.name = name, .raw_name = name, .file = "made.up", .line = 7};
	struct sym_result r = {.elf_va = 1, .reason = SYM_OK, .frames = &f, .n_frames = 1};

	wire_put_result(w, index, &r);
}

static void send_junk(const char *how)
{
	static char junk[WIRE_BYTES_MAX];
	static struct wire_writer w;
	struct wire_done done;

	memset(&done, 0, sizeof(done));
	done.type = WIRE_DONE;
	wire_writer_init(&w, WORKER_SOCK);
	memset(junk, 'A', sizeof(junk));
	if (!strcmp(how, "unasked"))
		send_result(&w, 1000000, "name");
	else if (!strcmp(how, "twice"))
		send_result(&w, 0, "name"), send_result(&w, 0, "other");
	else if (!strcmp(how, "none"))
		wire_send(WORKER_SOCK, &done, sizeof(done), -1);
	else if (!strcmp(how, "hungry"))
		done.err = -ENOMEM, wire_send(WORKER_SOCK, &done, sizeof(done), -1);
	else if (!strcmp(how, "junk"))
		wire_send(WORKER_SOCK, junk, sizeof(junk), -1);
	else if (!strcmp(how, "short"))
		wire_send(WORKER_SOCK, "x", 1, -1);
	wire_flush(&w);
	served_stay();
}

/* Opens without end. */
static void ask_for_ever(void)
{
	struct wire_open open = {.type = WIRE_OPEN};
	char msg[WIRE_BYTES_MAX];
	int fd;

	while (!wire_send2(WORKER_SOCK, &open, sizeof(open), "/nonexistent", 13, -1) &&
	       wire_recv(WORKER_SOCK, msg, &fd) > 0)
		;
}

/* A string now and then, and never the answer. */
static void drip(void)
{
	static const struct {
		struct wire_head head;
		struct wire_string empty;
	} message = {{.type = WIRE_ANSWERS}, {.record = WIRE_STRING}};
	const struct timespec pause = {.tv_nsec = 50000000};
	int word = 0;

	while (!wire_send(WORKER_SOCK, &message, sizeof(message), -1))
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, &pause, NULL, 0);
}

/* Of all readers of the test. */
static unsigned *kills;

/* "crash-lines" only crashes when lines are asked for, "crash-always" always, and so on. */
static bool misbehave(const char *name, bool names_only)
{
	const char *dash = strrchr(name, '-');
	size_t len = dash ? (size_t)(dash - name) : 0;
	char how[32] = "";

	if (!dash || (names_only && strcmp(dash, "-always")) || len >= sizeof(how))
		return false;
	memcpy(how, name, len);
	if (!strcmp(how, "crash"))
		served_crash();
	if (!strcmp(how, "exit"))
		_exit(3);
	if (!strcmp(how, "kill_once") && *kills)
		return false;
	if (text_has_prefix(how, "kill")) {
		(*kills)++;
		raise(SIGKILL);
	}
	if (!strcmp(how, "hang"))
		served_stay();
	if (!strcmp(how, "drip"))
		drip();
	if (!strcmp(how, "ask"))
		ask_for_ever();
	if (!strcmp(how, "starve"))
		served_starve(); /* and go on with nothing */
	else
		send_junk(how);
	return false;
}

static int serve_badly(int sock, pid_t parent, struct lookup *lookup)
{
	return served_badly(sock, parent, lookup, misbehave);
}

struct seen {
	char name[128], file[128];
	enum sym_reason reason;
	int calls;
};

static void see(void *ctx, size_t index, const struct sym_result *r)
{
	struct seen *s = (struct seen *)ctx + index;
	const struct sym_frame *f = &r->frames[r->n_frames - 1];

	snprintf(s->name, sizeof(s->name), "%s", f->name);
	snprintf(s->file, sizeof(s->file), "%s", f->file ?: "");
	s->reason = r->reason;
	s->calls++;
}

/* What is said of `shown` in a copy of the program under this name. */
static struct seen look(struct worker *w, const char *name)
{
	_cleanup_close_ int fd = fixture_open(fixture_at(name));
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = fixture_at(name)};
	uint64_t va = fixture_nm("prog", "shown");
	struct sym_query q = {.file = &file, .addr = &va, .n = 1};
	struct seen s = {{0}};

	assert_int_equal(worker_resolve(w, &q, see, &s), 0);
	assert_int_equal(s.calls, 1);
	return s;
}

static void expect_lines(struct worker *w, const char *name)
{
	struct seen s = look(w, name);

	assert_string_equal(s.name, "shown");
	assert_non_null(strstr(s.file, "prog.c"));
	assert_int_equal(s.reason, SYM_OK);
}

static void expect_stats(struct worker *w, uint64_t restarts, uint64_t failed)
{
	struct symbolizer_stats stats;

	worker_stats(w, &stats);
	assert_int_equal(stats.worker_restarts, restarts);
	assert_int_equal(stats.files_failed, failed);
}

/* In each way to fail: lines are lost, or names, of this file alone; and it fails no second time. */
static void test_failures(void **state)
{
	static const char *const ways[] = {"crash",  "exit", "hang",  "drip", "unasked", "none",
					   "hungry", "junk", "short", "ask",  "starve"};
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char lines[64], always[64];
		struct seen s;
		bool hung;

		snprintf(lines, sizeof(lines), "%s-lines", ways[i]);
		snprintf(always, sizeof(always), "%s-always", ways[i]);
		fixture_run("cp prog %s && cp prog %s", lines, always);
		worker_free(w);
		w = served_worker(lookup, serve_badly);
		expect_lines(w, "prog");
		s = look(w, lines);
		hung = !strcmp(ways[i], "hang") || !strcmp(ways[i], "drip"); /* is asked once */
		if (!hung)
			assert_string_equal(s.name, "shown");
		assert_string_equal(s.file, "");
		assert_int_equal(s.reason, hung ? SYM_CRASHED : SYM_OK);
		expect_stats(w, 1, 1);
		s = look(w, always);
		assert_int_equal(s.reason, SYM_CRASHED);
		assert_string_equal(s.file, "");
		assert_non_null(strstr(s.name, "-always+0x"));
		expect_stats(w, hung ? 2 : 3, 2);
		expect_lines(w, "prog");
		assert_int_equal(look(w, always).reason, SYM_CRASHED);
		assert_string_equal(look(w, lines).file, "");
		expect_stats(w, hung ? 2 : 3, 2);
	}
}

/* What was answered before the fault stays; what was not is asked again. */
static void test_answers_before_a_fault(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(lookup, serve_badly);
	_cleanup_close_ int fd = -1;
	uint64_t va[2] = {0, fixture_nm("prog", "shown")};
	struct seen s[2] = {{{0}}};
	struct sym_file file;
	struct sym_query q = {.file = &file, .addr = va, .n = 2};

	(void)state;
	fixture_run("cp prog twice-lines");
	fd = fixture_open("twice-lines");
	file = (struct sym_file){.fd = fd, .root_fd = -1, .path = "/x/twice-lines"};
	assert_int_equal(worker_resolve(w, &q, see, s), 0);
	assert_int_equal(s[0].calls, 1);
	assert_string_equal(s[0].name, "name");
	assert_string_equal(s[0].file, "made.up");
	assert_int_equal(s[1].calls, 1);
	assert_string_equal(s[1].name, "shown");
	assert_string_equal(s[1].file, "");
	expect_stats(w, 1, 1);
}

/* The machine may have been short of memory: what failed is tried again an hour later, and not before. */
static void test_a_file_is_not_bad_for_ever(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(lookup, serve_badly);

	(void)state;
	fixture_run("cp prog crash-lines");
	assert_string_equal(look(w, "crash-lines").file, "");
	expect_stats(w, 1, 1);
	clock_ahead_s += 3590;
	assert_string_equal(look(w, "crash-lines").file, "");
	expect_stats(w, 1, 1);
	clock_ahead_s += 20;
	assert_string_equal(look(w, "crash-lines").file, "");
	expect_stats(w, 2, 2);
	clock_ahead_s = 0;
}

/* A process that ends between two questions fails on no file. */
static void test_killed_while_idle(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(lookup, NULL);
	pid_t first = worker_pid(w);

	(void)state;
	expect_lines(w, "prog");
	assert_int_equal(kill(first, SIGKILL), 0);
	while (!kill(first, 0)) { /* until it is buried, which the next question does */
		expect_lines(w, "prog");
		if (worker_pid(w) != first)
			break;
	}
	expect_stats(w, 1, 0);
}

/* As by the kernel for want of memory: that is no fault of the file's, unless it happens again. */
static void test_killed_at_work(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = NULL;

	(void)state;
	kills = mmap(NULL, sizeof(*kills), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_true(kills != MAP_FAILED);
	w = served_worker(lookup, serve_badly);
	fixture_run("cp prog kill_once-always && cp prog kill-always");
	expect_lines(w, "kill_once-always");
	expect_stats(w, 1, 0);
	assert_int_equal(*kills, 1);
	assert_int_equal(look(w, "kill-always").reason, SYM_CRASHED);
	assert_int_equal(*kills, 4); /* with lines, again, and without */
	expect_stats(w, 4, 1);
	munmap(kills, sizeof(*kills));
}

static void test_stopped(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = NULL;

	(void)state;
	w = served_worker(lookup, NULL);
	assert_int_equal(kill(worker_pid(w), SIGSTOP), 0);
	assert_int_equal(look(w, "prog").reason, SYM_CRASHED);
	expect_stats(w, 1, 1);
}

/* Who makes file after file to that end gets no further than this. */
static void test_many_bad_files(void **state)
{
	_cleanup_lookup_ struct lookup *lookup = served_lookup();
	_cleanup_worker_ struct worker *w = served_worker(lookup, serve_badly);
	struct symbolizer_stats stats;
	char name[64];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "crash%d/crash-always", i);
		fixture_run("mkdir crash%d && cp prog %s", i, name);
		assert_int_equal(look(w, name).calls, 1);
		if (i == 0)
			expect_lines(w, "prog");
	}
	assert_string_equal(look(w, "prog").file, "");
	worker_stats(w, &stats);
	assert_in_range(stats.worker_restarts, 20, 80);
}

/* --- messages --------------------------------------------------------------------------------- */

static void put(struct buf *b, const void *data, size_t len)
{
	buf_add(b, data, len);
}

static void put_string(struct buf *b, const char *s)
{
	struct wire_string head = {WIRE_STRING, (uint32_t)strlen(s)};

	put(b, &head, sizeof(head));
	put(b, s, head.len);
}

struct made { /* one result with one frame */
	struct wire_result head;
	struct wire_frame frame;
};

static const struct made good = {{WIRE_RESULT, 1, 0x1234, SYM_OK, 1}, {2, 2, 1, 7, 0}};

static int read_made(const char *string, const struct made *m, size_t cut, struct seen *s)
{
	struct wire_head head = {.type = WIRE_ANSWERS};
	struct buf b = {0};
	struct wire_reader r;
	int err;

	assert_int_equal(wire_reader_init(&r, 2), 0);
	put(&b, &head, sizeof(head));
	put_string(&b, string);
	put(&b, &m->head, sizeof(m->head));
	put(&b, &m->frame, sizeof(m->frame));
	err = wire_read_answers(&r, b.data, b.len - cut, see, s);
	wire_reader_release(&r);
	buf_release(&b);
	return err;
}

static void test_messages(void **state)
{
	struct made bad[] = {good, good, good, good, good, good, good};
	struct seen s[2] = {{{0}}};

	(void)state;
	assert_int_equal(read_made("name", &good, 0, s), 0);
	assert_int_equal(s[1].calls, 1);
	assert_string_equal(s[1].name, "name");
	assert_string_equal(s[1].file, "");
	/* Text is cleaned once more, and ends at its length. */
	assert_int_equal(read_made("\033[31m\xff", &good, 0, s), 0);
	assert_string_equal(s[1].name, "\xef\xbf\xbd[31m\xef\xbf\xbd");
	for (size_t cut = 1; cut < sizeof(good.head) + sizeof(good.frame); cut++)
		assert_int_equal(read_made("name", &good, cut, s), -EBADMSG);
	bad[0].head.index = 2;
	bad[1].head.reason = SYM_REASON_COUNT;
	bad[2].head.n_frames = 0;
	bad[3].head.n_frames = UINT32_MAX;
	bad[4].head.record = 7;
	bad[5].frame.name = 0; /* every frame has one */
	bad[6].frame.file = 3;
	s[1].calls = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(read_made("name", &bad[i], 0, s), -EBADMSG);
	assert_int_equal(s[0].calls + s[1].calls, 0);
}

static void test_done_message(void **state)
{
	struct {
		struct wire_done done;
		struct wire_segment segs[ELF_FACTS_SEGMENTS_MAX + 1];
	} m;
	struct elf_facts facts;
	struct wire_done done;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.done.type = WIRE_DONE;
	m.done.n_segments = 1;
	m.segs[0] = (struct wire_segment){0x1000, 0x200, 0x100, 0x200};
	m.done.file_err = -ENODATA;
	assert_int_equal(wire_read_done(&m, sizeof(m.done) + sizeof(*m.segs), &done, &facts), 0);
	assert_int_equal(facts.err, -ENODATA);
	assert_int_equal(facts.n_segs, 1);
	assert_int_equal(facts.segs[0].va, 0x1000);
	assert_true(facts.segs[0].exec);
	assert_int_equal(wire_read_done(&m, sizeof(m.done) + sizeof(*m.segs) - 1, &done, &facts),
			 -EBADMSG);
	m.done.file_err = 1;
	assert_int_equal(wire_read_done(&m, sizeof(m), &done, &facts), -EBADMSG);
	m.done.file_err = 0;
	m.done.build_id.len = BUILD_ID_MAX + 1;
	assert_int_equal(wire_read_done(&m, sizeof(m), &done, &facts), -EBADMSG);
	m.done.build_id.len = 0;
	m.done.n_segments = ELF_FACTS_SEGMENTS_MAX + 1;
	assert_int_equal(wire_read_done(&m, sizeof(m), &done, &facts), -EBADMSG);
}

/* --- the broker ------------------------------------------------------------------------------- */

static void test_broker(void **state)
{
	_cleanup_(broker_freep) struct broker *b = NULL;
	_cleanup_close_ int root = -1, fd = -1;
	Elf64_Ehdr core = {.e_ident = ELFMAG, .e_type = ET_CORE};
	FILE *f;

	(void)state;
	f = fopen("core", "we");
	assert_int_equal(fwrite(&core, sizeof(core), 1, f), 1);
	fclose(f);
	fixture_run("mkdir -p rooted/bin && cp prog rooted/bin/ && mkfifo fifo && "
		    "ln -s /bin/prog rooted/link");
	assert_int_equal(broker_new(&b), 0);
	root = open("rooted", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = broker_open(b, root, "/link");
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(broker_open(b, root, "/nothing"), -ENOENT);
	assert_int_equal(broker_open(b, -1, "prog"), -ENOENT); /* relative to nothing */
	assert_int_equal(broker_open(b, -1, fixture_at("prog.c")), -ENOEXEC);
	assert_int_equal(broker_open(b, -1, fixture_at("core")), -ENOEXEC);
	assert_int_equal(broker_open(b, -1, fixture_at("fifo")), -EINVAL);
	assert_int_equal(broker_open(b, -1, fixture_at("rooted")), -EINVAL);
	assert_int_equal(broker_open(b, -1, "/proc/self/environ"), -ENOEXEC);
}

static int setup(void **state)
{
	int err = fixture_setup(state);

	if (err)
		return err;
	log_set_level(LOG_QUIET);
	served_program("-g -Wl,--build-id=none");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_answers),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_answers_before_a_fault),
		cmocka_unit_test(test_a_file_is_not_bad_for_ever),
		cmocka_unit_test(test_killed_while_idle),
		cmocka_unit_test(test_killed_at_work),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_many_bad_files),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_done_message),
		cmocka_unit_test(test_broker),
	};

	return cmocka_run_group_tests_name("worker", tests, setup, fixture_teardown);
}
