// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Captured stacks walked in a process of its own: the same frames, and what becomes of them when that
 * process crashes, hangs, starves or lies. Its misbehaviour is picked by a number in the sample.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/log.h"
#include "profiler/base/vec.h"
#include "symbolizer/worker/walk_worker.h"
#include "tests/lib/served.h"

DEFINE_CLEANUP(walk_worker, walk_worker_free)
#define _cleanup_walker_ _cleanup_(walk_worker_freep)

#define STALL_NS  500000000ull
#define STACK_MAX 16384

/* --- a sample of this very program ------------------------------------------------------------ */

struct captured {
	uint64_t regs[CFI_WALK_REGS];
	uint8_t stack[STACK_MAX];
	VEC(struct walk_region) regions;
	VEC(int) fds; /* of the region of this number */
};

static struct captured sample;

/* glibc's order of registers is not DWARF's. */
static void copy_regs(const ucontext_t *uc)
{
	static const int order[CFI_WALK_REGS] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
		REG_R9,	 REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	for (int i = 0; i < CFI_WALK_REGS; i++)
		sample.regs[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
}

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC); /* sanitizers guard the stack */

	(void)sig;
	(void)info;
	copy_regs(uc);
	if (pread(fd, sample.stack, sizeof(sample.stack), (off_t)sample.regs[7]) < STACK_MAX)
		abort();
	close(fd);
}

static volatile int depth_left;

__attribute__((noinline)) static int descend(int n)
{
	if (n)
		return descend(n - 1) + ++depth_left;
	raise(SIGUSR1);
	return depth_left;
}

static void read_maps(void)
{
	char line[512], file[256], perms[8];
	FILE *f = fopen("/proc/self/maps", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end, off;
		struct walk_region r;

		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, perms, &off,
			   file) != 5 ||
		    perms[2] != 'x' || *file != '/')
			continue;
		r = (struct walk_region){start, end - start, off, 1, (uint32_t)sample.fds.len, 0};
		assert_int_equal(vec_push(&sample.regions, r), 0);
		assert_int_equal(vec_push(&sample.fds, open(file, O_RDONLY | O_CLOEXEC)), 0);
	}
	fclose(f);
}

/* --- running ---------------------------------------------------------------------------------- */

#define N_MAX 64

struct run {
	struct walk_worker *w;
	unsigned how[N_MAX]; /* to misbehave, 0: not */
	int calls[N_MAX];
	size_t n_frames[N_MAX];
	uint64_t frames[N_MAX][UNWIND_FRAMES_MAX];
	enum cfi_walk_end end[N_MAX];
	size_t last;
};

static void prepare(void *ctx, size_t i, struct walk_sample *s)
{
	struct run *r = ctx;

	for (size_t f = 0; f < sample.fds.len; f++)
		if (!walk_worker_knows(r->w, (uint32_t)f))
			assert_int_equal(
				walk_worker_add(r->w, (uint32_t)f, SYM_FILE_OF(sample.fds.data[f])),
				0);
	s->captured = (struct captured_stack){sample.regs, sample.stack, sizeof(sample.stack), 0};
	s->captured.below = r->how[i];
	s->regions = sample.regions.data;
	s->n_regions = s->n_live = sample.regions.len;
}

static void done(void *ctx, size_t i, const uint64_t *frames, size_t n, enum cfi_walk_end end)
{
	struct run *r = ctx;

	assert_true(i == r->last); /* in order */
	r->last++;
	r->calls[i]++;
	r->n_frames[i] = n;
	if (n)
		memcpy(r->frames[i], frames, n * sizeof(*frames));
	r->end[i] = end;
}

static void run(struct run *r, struct walk_worker *w, size_t n)
{
	r->w = w;
	r->last = 0;
	walk_worker_run(w, n, prepare, done, r);
	assert_int_equal(r->last, n);
}

static struct walk_worker *start(int (*serve)(int, pid_t, struct lookup *), bool sandbox)
{
	struct walk_worker_opts opts = {.sandbox = sandbox, .serve = serve, .stall_ns = STALL_NS};
	struct walk_worker *w = NULL;

	assert_int_equal(walk_worker_new(&w, &opts), 0);
	return w;
}

static void expect_stats(const struct walk_worker *w, uint64_t lost, uint64_t files,
			 uint64_t restarts)
{
	struct walk_worker_stats stats;

	walk_worker_stats(w, &stats);
	assert_int_equal(stats.lost, lost);
	assert_int_equal(stats.files_failed, files);
	assert_int_equal(stats.restarts, restarts);
}

static void test_same_frames(void **state)
{
	_cleanup_walker_ struct walk_worker *here = start(NULL, false), *there = start(NULL, true);
	static struct run a, b;

	(void)state;
	run(&a, here, 1);
	run(&b, there, N_MAX);
	assert_true(a.n_frames[0] > 12); /* raise(), descend() ten times, main() */
	for (size_t i = 0; i < N_MAX; i++) {
		assert_int_equal(b.n_frames[i], a.n_frames[0]);
		assert_int_equal(b.end[i], a.end[0]);
		assert_memory_equal(b.frames[i], a.frames[0], a.n_frames[0] * sizeof(uint64_t));
	}
	run(&b, there, 1);
	assert_int_equal(b.n_frames[0], a.n_frames[0]);
	expect_stats(there, 0, 0, 0);
	assert_int_equal(walk_worker_pid(here), 0);
}

static void test_read_without_privileges(void **state)
{
	_cleanup_walker_ struct walk_worker *w = start(NULL, true);
	static struct run r;

	(void)state;
	run(&r, w, 1);
	assert_true(r.n_frames[0] > 12);
	served_expect_no_privileges(walk_worker_pid(w));
	assert_int_equal(kill(walk_worker_pid(w), SIGSTOP), 0);
	run(&r, w, 1);
	assert_int_equal(r.n_frames[0], 0);
}

/* More files than are known at once: all are forgotten, and those that are wanted are there again. */
static void test_many_files(void **state)
{
	_cleanup_walker_ struct walk_worker *w = start(NULL, true);
	static struct run a, b;

	(void)state;
	run(&a, w, 1);
	for (uint32_t f = 1000; !walk_worker_add(w, f, SYM_FILE_OF(sample.fds.data[0])); f++)
		;
	run(&b, w, 2);
	assert_false(walk_worker_knows(w, 1000));
	assert_int_equal(b.n_frames[1], a.n_frames[0]);
	expect_stats(w, 0, 0, 0);
}

/* --- misbehaviour ----------------------------------------------------------------------------- */

enum how {
	KILLED_AT_FILE = 1000,
	CRASH,
	CRASH_ON_FILE,
	HANG,
	STARVE,
	TOO_MANY,
	NONE,
	SHORT,
	NO_END,
	JUNK
};

static int note_fd = -1;

static void answer(uint32_t n, uint32_t end, size_t len)
{
	static uint64_t frames[UNWIND_FRAMES_MAX + 1];
	struct wire_walked m = {.type = WIRE_WALKED, .end = end, .n = n};

	wire_send2(WORKER_SOCK, &m, sizeof(m), frames, len, -1);
	served_stay();
}

static void misbehave(unsigned how)
{
	uint32_t file = 0;

	switch (how) {
	case KILLED_AT_FILE:
		if (pwrite(note_fd, &file, sizeof(file), 0) == sizeof(file))
			raise(SIGKILL);
		break;
	case CRASH_ON_FILE:
		if (pwrite(note_fd, &file, sizeof(file), 0) != sizeof(file))
			return;
		/* fallthrough */
	case CRASH:
		served_crash();
		break;
	case HANG:
		served_stay();
		break;
	case STARVE:
		served_starve();
		abort(); /* as who does not look would */
	case TOO_MANY:
		answer(UNWIND_FRAMES_MAX + 1, 0, 8 * (UNWIND_FRAMES_MAX + 1));
		break;
	case NONE:
		answer(0, 0, 0);
		break;
	case SHORT:
		answer(5, 0, 8);
		break;
	case NO_END:
		answer(1, CFI_WALK_END_COUNT, 8);
		break;
	case JUNK:
		wire_send(WORKER_SOCK, "junk", 4, -1);
		served_stay();
	}
}

/* A copy of the descriptor that comes with the message that waits. */
static void peek_note(void)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char c;
	struct iovec iov = {&c, 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control.bytes)};

	if (recvmsg(WORKER_SOCK, &m, MSG_PEEK) > 0 && CMSG_FIRSTHDR(&m))
		memcpy(&note_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(note_fd));
}

static int serve_badly(int sock, pid_t parent, struct lookup *lookup)
{
	struct walk_served *s = NULL;
	int err = worker_enter(sock, parent, WORKER_MEMORY) ?: walk_served_new(&s, WORKER_SOCK);

	(void)lookup;
	while (!err) {
		struct wire_walk w = {0};
		struct iovec iov = {&w, sizeof(w)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

		if (recvmsg(WORKER_SOCK, &m, MSG_PEEK) <= 0)
			return -ENOTCONN;
		if (w.type == WIRE_NOTE)
			peek_note();
		if (w.type == WIRE_WALK && w.below >= KILLED_AT_FILE)
			misbehave(w.below);
		err = walk_serve_one(s);
	}
	return err;
}

/* In each way to fail one sample is lost, and for later ones one file. */
static void test_failures(void **state)
{
	static struct run r;
	size_t n = 0;

	(void)state;
	for (unsigned how = CRASH; how <= JUNK; how++) {
		_cleanup_walker_ struct walk_worker *w = start(serve_badly, true);

		memset(&r, 0, sizeof(r));
		r.how[5] = how;
		run(&r, w, 12);
		for (size_t i = 0; i < 12; i++) {
			assert_int_equal(r.calls[i], 1);
			n = i < 5 ? r.n_frames[0] : n;
			if (i < 5)
				assert_int_equal(r.n_frames[i], n);
			else if (i == 5)
				assert_int_equal(r.n_frames[i], 0);
			else /* without the file that was looked into last */
				assert_in_range(r.n_frames[i], 1, n - 1);
		}
		expect_stats(w, 1, 1, 1);
	}
}

/* As by the kernel for want of memory: a sample is lost, and a file when it happens there again. */
static void test_killed_at_a_file(void **state)
{
	_cleanup_walker_ struct walk_worker *w = start(serve_badly, true);
	static struct run r;

	(void)state;
	r.how[5] = KILLED_AT_FILE;
	run(&r, w, 12);
	assert_int_equal(r.n_frames[5], 0);
	for (size_t i = 6; i < 12; i++)
		assert_int_equal(r.n_frames[i], r.n_frames[0]);
	expect_stats(w, 1, 0, 1);
	run(&r, w, 12);
	assert_in_range(r.n_frames[11], 1, r.n_frames[0] - 1);
	expect_stats(w, 2, 1, 2);
}

/* After a while nobody tries any more. */
static void test_many_failures(void **state)
{
	_cleanup_walker_ struct walk_worker *w = start(serve_badly, true);
	struct walk_worker_stats stats;
	static struct run r;

	(void)state;
	for (size_t i = 0; i < N_MAX; i++)
		r.how[i] = CRASH;
	run(&r, w, N_MAX);
	walk_worker_stats(w, &stats);
	assert_int_equal(stats.lost, N_MAX);
	assert_in_range(stats.restarts, 10, 20);
}

/* One that ends between two runs failed on nothing. */
static void test_killed_while_idle(void **state)
{
	_cleanup_walker_ struct walk_worker *w = start(NULL, true);
	static struct run r;
	pid_t first;

	(void)state;
	run(&r, w, 1);
	first = walk_worker_pid(w);
	assert_int_equal(kill(first, SIGKILL), 0);
	usleep(300000);
	run(&r, w, 1);
	assert_true(walk_worker_pid(w) != first);
	assert_true(r.n_frames[0] > 12);
	expect_stats(w, 0, 0, 0);
}

static int setup(void **state)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	log_set_level(LOG_QUIET);
	sigaction(SIGUSR1, &sa, NULL);
	descend(10);
	read_maps();
	return fixture_setup(state);
}

int main(void)
{
	volatile char above[STACK_MAX]; /* there is as much stack as is copied */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_frames),
		cmocka_unit_test(test_read_without_privileges),
		cmocka_unit_test(test_many_files),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_killed_at_a_file),
		cmocka_unit_test(test_many_failures),
		cmocka_unit_test(test_killed_while_idle),
	};

	above[0] = 0;
	return above[0] + cmocka_run_group_tests_name("walker", tests, setup, fixture_teardown);
}
