// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwind tables compiled in a process of its own: the same tables, and what becomes of them when that
 * process crashes, hangs, starves or lies. Its misbehaviour is picked by the name of the file.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/unwind/unwind_blob.h"
#include "symbolizer/worker/table_worker.h"
#include "tests/lib/served.h"

DEFINE_CLEANUP(table_worker, table_worker_free)
#define _cleanup_files_ _cleanup_(table_worker_freep)

static struct table_worker *start(int (*serve)(int, pid_t, struct lookup *), bool sandbox)
{
	struct table_worker_opts opts = {
		.sandbox = sandbox, .lazy = true, .serve = serve, .stall_ns = SERVED_STALL_NS};
	struct table_worker *u = NULL;

	assert_int_equal(table_worker_new(&u, &opts), 0);
	return u;
}

static int build(struct table_worker *u, const char *name, void **blob, size_t *len)
{
	_cleanup_close_ int fd = fixture_open(fixture_at(name));

	*blob = NULL;
	*len = 0;
	return table_worker_build(u, SYM_FILE_OF(fd), blob, len);
}

static void expect_table(struct table_worker *u, const char *name)
{
	void *blob;
	size_t len;

	assert_int_equal(build(u, name, &blob, &len), 0);
	assert_int_equal(unwind_blob_check(blob, len), 0);
	free(blob);
}

static void expect_none(struct table_worker *u, const char *name, int want)
{
	void *blob;
	size_t len;
	int err = build(u, name, &blob, &len);

	if (err != want)
		fail_msg("%s: %d, not %d", name, err, want);
	assert_null(blob);
}

/* --- the same answers ------------------------------------------------------------------------- */

static void compare(struct table_worker *here, struct table_worker *there, const char *path)
{
	_cleanup_close_ int fd = fixture_open(path);
	_cleanup_free_ void *a = NULL, *b = NULL;
	struct elf_facts fa, fb;
	size_t a_len = 0, b_len = 0;
	int err = table_worker_look(here, SYM_FILE_OF(fd), &fa);

	assert_int_equal(table_worker_look(there, SYM_FILE_OF(fd), &fb), err);
	assert_int_equal(fa.n_segs, fb.n_segs);
	assert_memory_equal(&fa.build_id, &fb.build_id, sizeof(fa.build_id));
	for (size_t i = 0; i < fa.n_segs; i++)
		assert_true(fa.segs[i].va == fb.segs[i].va &&
			    fa.segs[i].file_off == fb.segs[i].file_off &&
			    fa.segs[i].file_len == fb.segs[i].file_len);
	assert_int_equal(table_worker_described(there, SYM_FILE_OF(fd)),
			 table_worker_described(here, SYM_FILE_OF(fd)));
	err = table_worker_build(here, SYM_FILE_OF(fd), &a, &a_len);
	assert_int_equal(table_worker_build(there, SYM_FILE_OF(fd), &b, &b_len), err);
	assert_int_equal(a_len, b_len);
	if (!err)
		assert_memory_equal(a, b, a_len);
}

static void test_same_answers(void **state)
{
	_cleanup_files_ struct table_worker *here = start(NULL, false), *there = start(NULL, true);
	struct link_map *map = NULL;
	char self[4096] = "";

	(void)state;
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(dlinfo(dlopen("libc.so.6", RTLD_NOW), RTLD_DI_LINKMAP, &map), 0);
	compare(here, there, self);
	compare(here, there, map->l_name);
	compare(here, there, fixture_at("prog"));
	compare(here, there, fixture_at("undescribed"));
	compare(here, there, fixture_at("prog.c")); /* no ELF file */
	expect_none(there, "undescribed", -ENODATA);
	expect_none(there, "prog.c", -ENOEXEC);
	assert_int_equal(table_worker_pid(here), 0);
}

/* The rule at a function, which a table of the file has with the debug files below this root. */
static enum unwind_cfa rule_at(struct table_worker *u, const char *name, int root_fd, uint64_t va,
			       bool is_partial)
{
	_cleanup_close_ int fd = fixture_open(fixture_at(name));
	const struct sym_file file = {.fd = fd, .root_fd = root_fd, .path = "/opt/it"};
	_cleanup_free_ void *blob = NULL;
	struct unwind_head head;
	size_t len = 0;

	assert_int_equal(table_worker_build(u, &file, &blob, &len), 0);
	memcpy(&head, blob, sizeof(head));
	assert_int_equal(head.is_partial, is_partial);
	assert_int_equal(table_worker_described(u, &file), is_partial ? -ENODATA : 0);
	return unwind_table_rule(blob, va).cfa;
}

static uint64_t address_of(const char *symbol)
{
	char line[64] = "";
	int fd;

	fixture_run("nm split | sed -n 's/ [tT] %s$//p' > address", symbol);
	fd = fixture_open("address");
	assert_true(read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	return strtoull(line, NULL, 16);
}

/* A stripped program whose frames only its separate debug file describes; one of another build id is not taken. */
static void test_separate_debug_file(void **state)
{
	_cleanup_files_ struct table_worker *here = start(NULL, false), *there = start(NULL, true);
	_cleanup_close_ int with = -1, without = -1, other = -1;
	uint64_t leaf, main_va;

	(void)state;
	fixture_write("split.c",
		      "volatile int x[9];\n"
		      "#define S x[1] += n; x[2] *= x[1]; x[3] -= x[2]; x[4] += x[3];\n"
		      "#define S4 S S S S\n"
		      "__attribute__((noinline)) int leaf(int n)\n"
		      "{ volatile char pad[200]; pad[n] = 1; S4 S4 S4 return pad[n]; }\n"
		      "int main(int argc, char **argv)\n"
		      "{ volatile char pad[99]; pad[argc] = leaf(argc); return pad[argc]; }\n");
	fixture_run("gcc -O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables "
		    "-Wl,--build-id=0xabcdef0123456789 -o split split.c");
	leaf = address_of("leaf");
	main_va = address_of("main");
	fixture_run(
		"mkdir -p with/usr/lib/debug/.build-id/ab other/usr/lib/debug/.build-id/ab empty");
	fixture_run("objcopy --only-keep-debug split "
		    "with/usr/lib/debug/.build-id/ab/cdef0123456789.debug");
	fixture_run("gcc -O1 -g -Wl,--build-id=0x1234 -o other/usr/lib/debug/.build-id/ab/"
		    "cdef0123456789.debug split.c");
	fixture_run("strip -o bare split");
	with = open("with", O_PATH | O_DIRECTORY | O_CLOEXEC);
	other = open("other", O_PATH | O_DIRECTORY | O_CLOEXEC);
	without = open("empty", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		struct table_worker *u = i ? there : here;

		assert_int_equal(rule_at(u, "bare", with, leaf + 4, false), UNWIND_CFA_RSP);
		assert_int_equal(rule_at(u, "bare", with, main_va + 4, false), UNWIND_CFA_RSP);
		assert_int_equal(rule_at(u, "bare", without, leaf + 4, true), UNWIND_CFA_NONE);
		assert_int_equal(rule_at(u, "bare", other, leaf + 4, true), UNWIND_CFA_NONE);
		assert_int_equal(rule_at(u, "split", without, leaf + 4, false), UNWIND_CFA_RSP);
	}
}

/* Copies of a program with bytes of its .eh_frame overwritten: whatever comes of it is the same. */
static void test_hostile_files(void **state)
{
	_cleanup_files_ struct table_worker *here = start(NULL, false), *there = start(NULL, true);

	(void)state;
	fixture_run("objcopy --dump-section .eh_frame=frame.bin prog");
	for (unsigned i = 0; i < 20; i++) {
		fixture_run("cp frame.bin bad.bin && head -c 16 /dev/urandom | "
			    "dd of=bad.bin bs=1 seek=%u conv=notrunc status=none && "
			    "objcopy --update-section .eh_frame=bad.bin prog hostile",
			    8 * i);
		compare(here, there, fixture_at("hostile"));
	}
}

/* --- who reads -------------------------------------------------------------------------------- */

/* The process that answers has no capability, and there is no answer without it. */
static void test_read_without_privileges(void **state)
{
	_cleanup_files_ struct table_worker *u = start(NULL, true);
	pid_t pid;

	(void)state;
	expect_table(u, "prog");
	pid = table_worker_pid(u);
	served_expect_no_privileges(pid);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	expect_none(u, "prog", -ECONNABORTED);
}

/* No reader can be started: that is said of no file, and forgotten. */
static void test_no_descriptors_for_a_reader(void **state)
{
	_cleanup_files_ struct table_worker *u = start(NULL, true);
	struct rlimit old, few;
	siginfo_t info;
	int fd;

	(void)state;
	expect_table(u, "prog");
	assert_int_equal(kill(table_worker_pid(u), SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)table_worker_pid(u), &info, WEXITED | WNOWAIT), 0);
	fd = fixture_open(fixture_at("prog"));
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){(rlim_t)fd + 1, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	expect_none(u, "prog", -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	expect_table(u, "prog");
}

/* --- misbehaviour ----------------------------------------------------------------------------- */

static void done(int err, int file_err)
{
	struct wire_done d;

	memset(&d, 0, sizeof(d));
	d.type = WIRE_DONE;
	d.err = err;
	d.file_err = file_err;
	wire_send(WORKER_SOCK, &d, sizeof(d), -1);
}

static void send_table(const char *how)
{
	static char junk[8192];

	memset(junk, 'A', sizeof(junk));
	if (!strcmp(how, "junk"))
		wire_send_blob(WORKER_SOCK, junk, sizeof(junk));
	else if (!strcmp(how, "endless"))
		while (!wire_send_blob(WORKER_SOCK, junk, sizeof(junk)))
			;
	done(0, 0);
}

static bool misbehave(const char *name, bool names_only)
{
	char how[32] = "";

	(void)names_only;
	if (sscanf(name, "%31[a-z]-always", how) != 1 || !strstr(name, "-always"))
		return false;
	if (!strcmp(how, "crash"))
		served_crash();
	if (!strcmp(how, "exit"))
		_exit(3);
	if (!strcmp(how, "hang"))
		served_stay();
	if (!strcmp(how, "starve")) {
		served_starve();
		return false; /* and go on with nothing */
	}
	if (!strcmp(how, "positive"))
		done(0, 5);
	else if (!strcmp(how, "hungry"))
		done(-ENOMEM, 0);
	else
		send_table(how); /* junk, endless, none */
	return true;
}

static int serve_badly(int sock, pid_t parent, struct lookup *lookup)
{
	return served_badly(sock, parent, lookup, misbehave);
}

/* In each way to fail only that file has no table; and nobody looks at it a second time. */
static void test_failures(void **state)
{
	static const char *const ways[] = {"crash",   "exit", "hang",	  "starve", "junk",
					   "endless", "none", "positive", "hungry"};
	_cleanup_files_ struct table_worker *u = NULL;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s-always", ways[i]);
		fixture_run("cp prog %s", name);
		table_worker_free(u);
		u = start(serve_badly, true);
		expect_table(u, "prog");
		expect_none(u, name, -ECONNABORTED);
		expect_table(u, "prog");
		pid = table_worker_pid(u);
		expect_none(u, name, -ECONNABORTED);
		assert_int_equal(table_worker_pid(u), pid);
	}
}

/* Who makes file after file to that end gets no further than this: no process is started for more. */
static void test_many_bad_files(void **state)
{
	_cleanup_files_ struct table_worker *u = start(serve_badly, true);
	pid_t last = 0;
	int started = 0;
	char name[64];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "crash-always%d", i);
		fixture_run("cp prog %s", name);
		expect_none(u, name, -ECONNABORTED);
		fixture_run("rm %s", name);
		started += table_worker_pid(u) && table_worker_pid(u) != last;
		last = table_worker_pid(u);
	}
	assert_in_range(started, 0, 80);
	expect_none(u, "prog", -ECONNABORTED);
}

/* --- endings ---------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void *cancel_soon(void *arg)
{
	usleep(300000);
	table_worker_cancel(arg);
	return NULL;
}

static void test_cancel(void **state)
{
	pthread_t thread;
	_cleanup_files_ struct table_worker *u = NULL;
	struct table_worker_opts opts = {
		.sandbox = true, .serve = serve_badly, .stall_ns = 60 * SERVED_STALL_NS};
	uint64_t begin;

	(void)state;
	fixture_run("cp prog hang-always");
	assert_int_equal(table_worker_new(&u, &opts), 0);
	expect_table(u, "prog");
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, u), 0);
	begin = now_ns();
	expect_none(u, "hang-always", -ECONNABORTED);
	expect_none(u, "prog", -ECONNABORTED);
	assert_true(now_ns() - begin < 5 * SERVED_STALL_NS);
	pthread_join(thread, NULL);
}

/* --- messages --------------------------------------------------------------------------------- */

static void test_blob_messages(void **state)
{
	struct {
		struct wire_head head;
		char data[8];
	} m = {{WIRE_BLOB, 8}, "1234567"};
	struct buf b = {0};

	(void)state;
	assert_int_equal(wire_read_blob(&b, &m, sizeof(m)), 0);
	assert_int_equal(b.len, 8);
	for (size_t len = 0; len < sizeof(m); len++)
		assert_int_equal(wire_read_blob(&b, &m, len), -EBADMSG);
	m.head.n = 0; /* would be progress for ever */
	assert_int_equal(wire_read_blob(&b, &m, sizeof(m.head)), -EBADMSG);
	m.head = (struct wire_head){WIRE_DONE, 8};
	assert_int_equal(wire_read_blob(&b, &m, sizeof(m)), -EBADMSG);
	assert_int_equal(b.len, 8);
	m.head.type = WIRE_BLOB;
	b.len = WIRE_BLOB_MAX - 7;
	assert_int_equal(wire_read_blob(&b, &m, sizeof(m)), -EBADMSG);
	buf_release(&b);
}

static int setup(void **state)
{
	int err = fixture_setup(state);

	if (err)
		return err;
	log_set_level(LOG_QUIET);
	served_program("");
	fixture_write("bare.s", ".globl _start\n_start: ret\n.fill 5000, 1, 0x90\n");
	fixture_run("gcc -nostdlib -static bare.s -o undescribed");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_answers),
		cmocka_unit_test(test_separate_debug_file),
		cmocka_unit_test(test_hostile_files),
		cmocka_unit_test(test_read_without_privileges),
		cmocka_unit_test(test_no_descriptors_for_a_reader),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_many_bad_files),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_blob_messages),
	};

	return cmocka_run_group_tests_name("table_worker", tests, setup, fixture_teardown);
}
