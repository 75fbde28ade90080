// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/stop_one.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/rootless/thread_facts.h"

#define PAGE 4096ull
/* Of what the kernel puts above the first frame so much is read as a walk may look at. */
#define ARGUMENTS 64

/* A thread that runs on another CPU stops within microseconds. Then this one sleeps, because the thread may wait for
 * this CPU. */
#define SPIN_NS	 20000
#define NAP_NS	 50000
#define NAPS_MAX 20
/* One that has been on this CPU stops as soon as this one sleeps. */
#define HERE_NS 15000

/* Results of system calls that the kernel starts again by itself (include/linux/errno.h). */
#define RESTART_FIRST 512
#define RESTART_LAST  516
#define RESTART_NOT   515

#define CS_COMPAT 0x23 /* code segment of 32-bit code */

static void nap(long ns)
{
	struct timespec ts = {.tv_nsec = ns};

	nanosleep(&ts, NULL);
}

enum state { STATE_RUNS, STATE_STOPPED, STATE_GONE };

/* Of those that this thread traces; another thread started kiln's children. */
#define MINE (WNOHANG | __WALL | __WNOTHREAD)

/*
 * Looks without taking the answer, because the end of a child is for whoever started it. The end of another
 * process's child is taken, or its parent would not hear of it. *stop: the signal, and the event above it.
 */
static enum state look(pid_t tid, bool is_child, int *stop)
{
	siginfo_t si = {.si_pid = 0};

	if (waitid(P_PID, (id_t)tid, &si, WEXITED | WSTOPPED | WNOWAIT | MINE))
		return STATE_GONE;
	if (!si.si_pid)
		return STATE_RUNS;
	if (si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED) {
		*stop = si.si_status;
		return STATE_STOPPED;
	}
	if (!is_child)
		waitpid(tid, NULL, MINE);
	return STATE_GONE;
}

#ifdef __x86_64__
static bool read_regs(pid_t tid, struct stopped *out)
{
	struct user_regs_struct u;
	int64_t result;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &u))
		return false;
	memcpy(out->regs,
	       (uint64_t[UNWIND_REGS]){u.rax, u.rdx, u.rcx, u.rbx, u.rsi, u.rdi, u.rbp, u.rsp, u.r8,
				       u.r9, u.r10, u.r11, u.r12, u.r13, u.r14, u.r15, u.rip},
	       sizeof(out->regs));
	out->is_compat = u.cs == CS_COMPAT;
	result = out->is_compat ? (int32_t)u.rax : (int64_t)u.rax;
	out->in_call = (int64_t)u.orig_rax >= 0;
	out->ended_call = out->in_call && result == -EINTR;
	out->restarted_call = out->in_call && -result >= RESTART_FIRST && -result <= RESTART_LAST &&
			      -result != RESTART_NOT;
	return true;
}
#else
static bool read_regs(pid_t tid, struct stopped *out)
{
	(void)tid, (void)out;
	return false;
}
#endif

/* Some filters of containers refuse process_vm_readv(2). */
static ssize_t read_memory(pid_t tid, uint64_t from, void *to, size_t len)
{
	char path[32];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : pread(fd, to, len, (off_t)from);
}

/* Bytes that are read. The first thread's stack ends where the environment begins, which may be long. */
static size_t stack_size(const struct stopped *s, uint64_t from)
{
	uint64_t first = s->first_stack + ARGUMENTS - from;

	return s->first_stack > from && first < sizeof(s->stack) ? first : sizeof(s->stack);
}

/* A part for each page, because a part is read as a whole or not at all. */
static void read_stack(pid_t tid, struct stopped *out)
{
	uint64_t from = KILN_RAW_BASE(out->regs[UNWIND_RSP]), end = from + stack_size(out, from);
	struct iovec to = {out->stack, end - from};
	struct iovec parts[SAMPLE_STACK_MAX / PAGE + 1];
	size_t n = 0;
	ssize_t got;

	for (uint64_t at = from, next; at < end; at = next) {
		next = (at | (PAGE - 1)) + 1;
		next = next < end ? next : end;
		parts[n++] = (struct iovec){(void *)at, next - at};
	}
	got = process_vm_readv(tid, &to, 1, parts, n, 0);
	if (got < 0)
		got = read_memory(tid, from, out->stack, end - from);
	out->stack_len = got < 0 ? 0 : (uint32_t)got;
}

static bool is_by_event(int stop)
{
	return stop >> 8 == PTRACE_EVENT_STOP;
}

/* A signal that it stopped before goes on to it. Whoever is killed meanwhile cannot be let go. */
static bool let_go(pid_t tid, int stop)
{
	int sig = is_by_event(stop) ? 0 : stop & 0x7f;

	return !ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)sig);
}

/* The thread has stopped, by the request, before a signal, or with all of its process by job control. */
static enum stop_result take(pid_t tid, int stop, struct stopped *out)
{
	bool ok = false;

	if (!is_by_event(stop) || (stop & 0x7f) == SIGTRAP) {
		out->t_ns = boottime_ns();
		ok = read_regs(tid, out);
		if (ok)
			read_stack(tid, out);
	}
	out->is_free = let_go(tid, stop);
	out->held_ns = monotonic_ns() - out->ran_ns;
	return ok ? STOP_TAKEN : STOP_NOTHING;
}

enum stop_result stop_one_poll(pid_t tid, bool is_child, struct stopped *out)
{
	uint64_t now = monotonic_ns();
	int stop = 0;

	switch (look(tid, is_child, &stop)) {
	case STATE_RUNS:
		out->ran_ns = now;
		return STOP_PENDING;
	case STATE_STOPPED:
		return take(tid, stop, out);
	default:
		return STOP_NOTHING;
	}
}

enum stop_result stop_one_await(pid_t tid, bool is_child, bool is_here, struct stopped *out)
{
	uint64_t until = monotonic_ns() + SPIN_NS;
	enum stop_result result;

	if (is_here)
		nap(HERE_NS);
	do
		result = stop_one_poll(tid, is_child, out);
	while (result == STOP_PENDING && monotonic_ns() < until);
	for (int i = 0; result == STOP_PENDING && i < NAPS_MAX; i++) {
		nap(NAP_NS);
		result = stop_one_poll(tid, is_child, out);
	}
	return result;
}

/* What asks for a thread waits while its process executes a program, and has then got it under another number. */
static bool is_mine(pid_t tid)
{
	return thread_tracer(tid) == gettid();
}

/* One that is just ending may not be traced, either; and then its number may be of another thread, after an exec. */
static enum stop_result seize(pid_t tid)
{
	struct thread_facts facts;

	for (int tries = 0; tries < 2; tries++) {
		if (!ptrace(PTRACE_SEIZE, tid, NULL, NULL))
			return STOP_PENDING;
		if (errno != EPERM)
			return STOP_NOTHING;
		if (is_mine(tid))
			return STOP_PENDING;
		if (thread_facts_read(NULL, tid, tid, &facts) || facts.is_dead)
			return STOP_NOTHING;
	}
	return STOP_REFUSED;
}

enum stop_result stop_one_ask(pid_t tid, struct stopped *out)
{
	enum stop_result result = seize(tid);

	if (result != STOP_PENDING)
		return result;
	out->ran_ns = monotonic_ns();
	/* Fails if the thread has ended: the wait says so. */
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return STOP_PENDING;
}

static bool is_own_child(pid_t pid)
{
	struct thread_facts facts;

	return !thread_facts_read(NULL, pid, pid, &facts) && facts.parent_tgid == getpid();
}

void stop_one_sweep(void)
{
	siginfo_t si = {.si_pid = 0};

	while (!waitid(P_ALL, 0, &si, WSTOPPED | MINE) && si.si_pid) {
		let_go(si.si_pid, si.si_status);
		si.si_pid = 0;
	}
	while (!waitid(P_ALL, 0, &si, WEXITED | WNOWAIT | MINE) && si.si_pid &&
	       !is_own_child(si.si_pid)) {
		waitpid(si.si_pid, NULL, MINE);
		si.si_pid = 0;
	}
}

int stop_one_probe(void)
{
	pid_t parent = getpid(), pid = fork();
	int err;

	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	err = ptrace(PTRACE_SEIZE, pid, NULL, NULL) ? -errno : 0;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return err;
}
