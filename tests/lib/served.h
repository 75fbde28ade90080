/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The served half of a worker (worker.h), behaving badly; and what all that is served by one share. */
#ifndef KILN_TESTS_SERVED_H
#define KILN_TESTS_SERVED_H

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/sanitizer.h"
#include "symbolizer/lookup/lookup.h"
#include "symbolizer/worker/worker.h"
#include "symbolizer/worker/worker_wire.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(lookup, lookup_free)
DEFINE_CLEANUP(worker, worker_free)
#define _cleanup_lookup_ _cleanup_(lookup_freep)
#define _cleanup_worker_ _cleanup_(worker_freep)

/* What is stalled here is stalled for ever: there it need not be as long as usual. */
#define SERVED_STALL_NS 1000000000ull

/* --- the asking half -------------------------------------------------------------------------- */

static FIXTURE_UNUSED struct lookup *served_lookup(void)
{
	struct symbolizer_opts opts = {0};
	struct lookup *lookup = NULL;

	assert_int_equal(lookup_new(&lookup, &opts), 0);
	return lookup;
}

static FIXTURE_UNUSED struct worker *served_worker(struct lookup *lookup,
						   int (*serve)(int, pid_t, struct lookup *))
{
	struct worker_opts opts = {.lookup = lookup, .serve = serve, .stall_ns = SERVED_STALL_NS};
	struct worker *w = NULL;

	assert_int_equal(worker_new(&w, &opts), 0);
	return w;
}

/* A program, "prog", with a function of the name `shown`. */
static FIXTURE_UNUSED void served_program(const char *flags)
{
	fixture_write("prog.c",
		      "volatile int sink;\n"
		      "__attribute__((noinline)) int shown(int x) { return sink = x; }\n"
		      "int main(int argc, char **argv) { (void)argv; return shown(argc); }\n");
	fixture_run("gcc -O1 %s prog.c -o prog", flags);
}

static FIXTURE_UNUSED void served_status(pid_t pid, const char *key, char *value)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	strcpy(value, "none");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ": %63s", value);
	fclose(f);
}

/* The process is another one, which has no capability and gets none. */
static FIXTURE_UNUSED void served_expect_no_privileges(pid_t pid)
{
	char value[64];

	assert_true(pid > 0 && pid != getpid());
	served_status(pid, "CapEff", value);
	assert_string_equal(value, "0000000000000000");
	served_status(pid, "NoNewPrivs", value);
	assert_string_equal(value, "1");
#if !SANITIZED
	served_status(pid, "Seccomp", value);
	assert_string_equal(value, "2");
#endif
}

/* --- misbehaviour of the other ---------------------------------------------------------------- */

/* Does nothing, for ever: pause() is not among the calls it has. */
static FIXTURE_UNUSED void served_stay(void)
{
	static int word;

	syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static FIXTURE_UNUSED void served_crash(void)
{
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	abort();
}

/* Takes all the memory it may have; under sanitizers there is no limit. */
static FIXTURE_UNUSED void served_starve(void)
{
	static void *volatile last;
	struct rlimit r;

	if (getrlimit(RLIMIT_AS, &r) || r.rlim_cur == RLIM_INFINITY)
		_exit(ENOMEM);
	for (size_t size = 1 << 20; size >= 16; size /= 2)
		while ((last = malloc(size)))
			;
}

/* Takes a question and leaves it unanswered. */
static FIXTURE_UNUSED void served_swallow(void)
{
	static char msg[WIRE_BYTES_MAX];
	int fd;

	if (wire_recv(WORKER_SOCK, msg, &fd) > 0)
		cleanup_close_fd(&fd);
}

/* Is asked before each question, by the name of the file: true, and the question gets no answer; false,
 * and it gets the one that it should. */
typedef bool (*served_misbehave_fn)(const char *name, bool names_only);

/* worker_serve(), but for that. */
static FIXTURE_UNUSED int served_badly(int sock, pid_t parent, struct lookup *lookup,
				       served_misbehave_fn misbehave)
{
	static char msg[WIRE_BYTES_MAX];
	int err = worker_enter(sock, parent, WORKER_MEMORY);

	while (!err) {
		struct iovec iov = {msg, sizeof(msg)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		const struct wire_query *q = (void *)msg;
		const char *path = msg + sizeof(*q), *slash;

		if (recvmsg(WORKER_SOCK, &m, MSG_PEEK) <= (ssize_t)sizeof(*q))
			return -ENOTCONN;
		slash = strrchr(path, '/');
		if (misbehave(slash ? slash + 1 : path, q->names_only))
			served_swallow();
		else
			err = worker_serve_one(WORKER_SOCK, lookup);
	}
	return err;
}

#endif
