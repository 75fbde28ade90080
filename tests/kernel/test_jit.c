// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Code made while it runs, by a program that says in a jitdump or a perf map what it makes: two functions, one
 * after the other at the same address. This program records itself; as a command (argument "jit") it is
 * that compiler. Needs root and BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/record/session.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"
#include "tests/lib/fuse_server.h"
#include "tests/lib/jitdump_write.h"

#define BURN_MS	  700
#define WINDOW_NS 100000000ull
#define TURNS	  20
#define TURN_MS	  30

/* --- the compiler ----------------------------------------------------------------------------- */

/* void f(unsigned n) { while (--n); } */
#ifdef __x86_64__
static const uint8_t code[] = {0xff, 0xcf, 0x75, 0xfc, 0xc3};
#else
static const uint8_t code[] = {0x00, 0x04, 0x00, 0x71, 0xe1, 0xff,
			       0xff, 0x54, 0xc0, 0x03, 0x5f, 0xd6};
#endif

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static int append(int fd, struct buf *b)
{
	bool ok = write(fd, b->data, b->len) == (ssize_t)b->len;

	buf_clear(b);
	return ok ? 0 : 1;
}

static int compile_and_run(int fd, void *at, const char *name, uint32_t line, unsigned ms)
{
	struct jit_line lines[] = {{0, line, "/src/of/it.x"}};
	uint64_t start = (uint64_t)at, end;
	void (*fn)(unsigned) = NULL;
	struct buf b = {0};

	memcpy(at, code, sizeof(code));
	__builtin___clear_cache(at, (char *)at + sizeof(code));
	memcpy(&fn, &at, sizeof(fn));
	jit_lines(&b, clock_of(CLOCK_MONOTONIC), start, 0, lines, 1);
	jit_load(&b, clock_of(CLOCK_MONOTONIC), start, sizeof(code), line, name);
	if (append(fd, &b))
		return 1;
	end = clock_of(CLOCK_PROCESS_CPUTIME_ID) + ms * 1000000ull;
	while (clock_of(CLOCK_PROCESS_CPUTIME_ID) < end)
		fn(1000000);
	buf_release(&b);
	return 0;
}

static int compile_all(bool unlinked)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	struct buf b = {0};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "jit-%d.dump", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (at == MAP_FAILED || fd < 0 ||
	    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return 1;
	if (unlinked && unlink(path))
		return 1;
	jit_header(&b, 0);
	if (append(fd, &b))
		return 1;
	buf_release(&b);
	return compile_and_run(fd, at, "first_made", 10, BURN_MS)
		       ?: compile_and_run(fd, at, "second_made", 20, BURN_MS);
}

static int write_map(FILE **map, const char *path, const char *name, void *at)
{
	if (!*map)
		*map = fopen(path, "ae");
	return *map && fprintf(*map, "%lx %zx %s\n", (unsigned long)at, sizeof(code), name) > 0 &&
			       !fflush(*map)
		       ? 0
		       : 1;
}

/* Two functions in turn at one address, a quarter and three quarters of the time, as the perf map says, which is
 * removed at the end. reopens: it does not keep the file open. */
static int take_turns(bool reopens)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	FILE *map = NULL;
	char path[64];
	int err = at == MAP_FAILED;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	for (int i = 0; i < 2 * TURNS && !err; i++) {
		int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

		err = write_map(&map, path, i % 2 ? "second_made" : "first_made", at);
		if (reopens && map) {
			fclose(map);
			map = NULL;
		}
		err = err ?: compile_and_run(nowhere, at, "", 1, i % 2 ? 3 * TURN_MS : TURN_MS);
		close(nowhere);
	}
	if (map)
		fclose(map);
	return unlink(path) ?: err;
}

/* CLOCK_MONOTONIC of children is ahead from now on. */
static int advance_clock(void)
{
	static const char ahead[] = "monotonic 1000 0\n";
	int fd = unshare(CLONE_NEWTIME) ? -1
					: open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, ahead, strlen(ahead)) > 0 ? 0 : -1;
}

/* In a pid namespace of its own, where its pid is 1, or in a time namespace, where it is later. */
static int compile_in_namespace(bool of_time)
{
	int status = 0;
	pid_t pid;

	if (of_time ? advance_clock() : unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (!pid)
		_exit(compile_all(false));
	return waitpid(pid, &status, 0) == pid && !status ? 0 : 1;
}

/* Says nothing of what it makes, and its /tmp is on a file server that answers nobody. */
static int burn_with_hung_tmp(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t server;

	if (at == MAP_FAILED || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	server = fuse_server_start("/tmp", "/proc/self/exe");
	if (server < 0 || kill(server, SIGSTOP) || write(STDOUT_FILENO, "x", 1) != 1)
		return 1;
	while (!compile_and_run(nowhere, at, "unheard_of", 1, BURN_MS))
		;
	return 1;
}

static int be_a_compiler(const char *how)
{
	if (!strcmp(how, "hung-tmp"))
		return burn_with_hung_tmp();
	if (!strcmp(how, "in-namespace"))
		return compile_in_namespace(false);
	if (!strcmp(how, "in-time-namespace"))
		return compile_in_namespace(true);
	if (!strncmp(how, "turns", 5))
		return take_turns(!strcmp(how, "turns-reopened"));
	return compile_all(!strcmp(how, "unlinked"));
}

/* --- the test --------------------------------------------------------------------------------- */

static struct profile *record(const char *how, bool names_only, uint64_t window_ns)
{
	char *const argv[] = {"/proc/self/exe", "jit", (char *)how, NULL};
	struct session_opts opts = {.sampler = {.freq_hz = 499,
						.window_ns = window_ns,
						.event = EVENT_CPU_CLOCK,
						.unwind = MODE_FP,
						.user = true,
						.kernel = true},
				    .argv = argv,
				    .names_only = names_only};
	struct session_result result;
	struct quality q = {0};
	const char *why = "";

	if (session_run(&opts, &result, &q, &why))
		fail_msg("%s", why);
	assert_int_equal(result.exit_code, 0);
	symbolizer_free(result.symbolizer);
	return result.profile;
}

/* Samples with this function of made code on top, all of them at this line. */
static int64_t samples_at(const struct profile *p, const char *name, uint32_t line)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		uint32_t leaf = p->frames.data[p->stacks.data[s->stack].first];
		const struct profile_location *l = &p->locations.data[leaf];
		const struct profile_line *at = &p->lines.data[l->first_line];
		const struct profile_function *f = &p->functions.data[at->function];

		if (strcmp(profile_text(p, f->name), name) != 0)
			continue;
		assert_string_equal(profile_text(p, p->mappings.data[l->mapping].file),
				    MAPPING_JIT);
		assert_int_equal(l->address, 0);
		assert_int_equal(at->line, line);
		assert_string_equal(profile_text(p, f->file), line ? "/src/of/it.x" : "");
		n += p->values.data[s->first_value];
	}
	return n;
}

static void check(const char *how, bool names_only)
{
	struct profile *p = record(how, names_only, WINDOW_NS);
	int64_t first = samples_at(p, "first_made", names_only ? 0 : 10);
	int64_t second = samples_at(p, "second_made", names_only ? 0 : 20);
	int64_t each = 499 * BURN_MS / 1000;

	/* In the window in which one follows the other they cannot be told apart. */
	if (first < each / 2 || second < each / 2 || first + second < each)
		fail_msg("%s: %lld and %lld samples of %lld each", how, (long long)first,
			 (long long)second, (long long)each);
	profile_free(p);
}

static void test_same_place(void **state)
{
	(void)state;
	check("plain", false);
}

static void test_names_only(void **state)
{
	(void)state;
	check("plain", true);
}

static void test_unlinked(void **state)
{
	(void)state;
	check("unlinked", false);
}

static void test_in_pid_namespace(void **state)
{
	(void)state;
	check("in-namespace", false);
	fixture_run("test -e jit-1.dump");
}

/* Its jitdump has times of another clock. */
static void check_time_namespace(void)
{
	if (access("/proc/self/timens_offsets", W_OK)) {
		print_message("[ REASON   ] no time namespaces here\n");
		skip();
	}
	check("in-time-namespace", false);
}

static void test_in_time_namespace(void **state)
{
	(void)state;
	check_time_namespace();
}

/* Where samples do not report mappings. */
static void test_in_time_namespace_by_events(void **state)
{
	(void)state;
	setenv("KILN_TEST_MAPPING_EVENTS", "1", 1);
	check_time_namespace();
	unsetenv("KILN_TEST_MAPPING_EVENTS");
}

/* All of it in one drained window. */
static void check_turns(const char *how)
{
	struct profile *p = record(how, false, 60000000000ull);
	int64_t first = samples_at(p, "first_made", 0), second = samples_at(p, "second_made", 0);

	/* The map is found within the first turns of kiln, of which one is a twentieth of all this. */
	if (first * 100 < 17 * (first + second) || first * 100 > 33 * (first + second) ||
	    first + second < 499 * 4 * TURNS * TURN_MS / 1000 / 2)
		fail_msg("%s: %lld and %lld samples, not one to three", how, (long long)first,
			 (long long)second);
	profile_free(p);
}

static void test_taking_turns(void **state)
{
	(void)state;
	check_turns("turns");
}

static void test_taking_turns_in_a_map_that_is_opened_again(void **state)
{
	(void)state;
	check_turns("turns-reopened");
}

/* In its namespace, as its pid, and so the name of its map, is known there. */
static void test_preferred_over_perf_map(void **state)
{
	(void)state;
	fixture_write("/tmp/perf-1.map", "0 ffffffffffff wrong\n");
	check("in-namespace", false);
	fixture_run("rm /tmp/perf-1.map");
}

/* A process that burns with its /tmp hung, and the end of the pipe that says so. */
static pid_t start_with_hung_tmp(void)
{
	int out[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		execl("/proc/self/exe", "test_jit", "jit", "hung-tmp", NULL);
		_exit(99);
	}
	close(out[1]);
	assert_int_equal(read(out[0], &c, 1), 1);
	close(out[0]);
	return pid;
}

static void test_map_on_a_hung_server(void **state)
{
	pid_t pid = start_with_hung_tmp();
	struct session_opts opts = {.sampler = {.freq_hz = 99,
						.window_ns = WINDOW_NS,
						.event = EVENT_CPU_CLOCK,
						.unwind = MODE_FP,
						.user = true},
				    .tgids = &pid,
				    .n_tgids = 1,
				    .duration_ns = 1000000000};
	uint64_t start = clock_of(CLOCK_MONOTONIC);
	struct session_result result;
	struct quality q = {0};
	const char *why = "";

	(void)state;
	alarm(60);
	assert_int_equal(session_run(&opts, &result, &q, &why), 0);
	assert_true(clock_of(CLOCK_MONOTONIC) - start < 15000000000ull);
	assert_true(result.profile->samples.len > 0);
	session_result_release(&result);
	alarm(0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_place),
		cmocka_unit_test(test_names_only),
		cmocka_unit_test(test_unlinked),
		cmocka_unit_test(test_in_pid_namespace),
		cmocka_unit_test(test_in_time_namespace),
		cmocka_unit_test(test_in_time_namespace_by_events),
		cmocka_unit_test(test_taking_turns),
		cmocka_unit_test(test_taking_turns_in_a_map_that_is_opened_again),
		cmocka_unit_test(test_preferred_over_perf_map),
		cmocka_unit_test(test_map_on_a_hung_server),
	};

	if (argc == 3 && !strcmp(argv[1], "jit"))
		return be_a_compiler(argv[2]);
	if (geteuid()) {
		printf("skipped: needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("jit", tests, fixture_setup, fixture_teardown);
}
