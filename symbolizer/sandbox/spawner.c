// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/sandbox/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/sandbox/message.h"
#include "symbolizer/sandbox/sandbox.h"

/* A fork takes milliseconds, unless the machine is overloaded. */
#define SPAWN_WAIT_MS 10000
#define CONTROL	      3 /* as sandbox_detach() leaves it */
/* Wait for a killed process. In a cgroup that is frozen it ends when that thaws. */
#define REAP_MS 1000

/* Since the process began. */
static atomic_uint gone;

struct spawner {
	int control;
	bool is_gone;
	pid_t pid, owner; /* owner: the process that forked it */
	uint32_t number;  /* of the last request */
	int wait_ms;
	char msg[WIRE_BYTES_MAX];
};

struct spawned { /* the answer */
	uint32_t number;
	int32_t pid; /* or -errno */
};

/* --- the process ------------------------------------------------------------------------------ */

/* Forks a child of the spawner's parent, which fork() cannot do. Safe because there is only one
 * thread: no lock is held. */
static pid_t fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

/* Serves requests: one message with a socket for each process, answered by its pid. */
static void run(struct spawner *s, spawner_fn fn, void *ctx, pid_t parent)
{
	struct spawned out;
	int sock;

	while (wire_recv(CONTROL, s->msg, &sock) == sizeof(out.number)) {
		memcpy(&out.number, s->msg, sizeof(out.number));
		out.pid = fork_sibling();
		if (!out.pid) {
			close(CONTROL);
			_exit(-fn(ctx, sock, parent) & 0xff);
		}
		if (out.pid < 0)
			out.pid = -errno;
		close(sock);
		if (wire_send(CONTROL, &out, sizeof(out), -1))
			return;
	}
}

/* --- its owner -------------------------------------------------------------------------------- */

int spawner_new(struct spawner **out, spawner_fn fn, void *ctx)
{
	_cleanup_free_ struct spawner *s = calloc(1, sizeof(*s));
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2];

	if (!s)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	s->owner = getpid();
	s->wait_ms = SPAWN_WAIT_MS;
	s->pid = fork();
	if (!s->pid) {
		if (!sandbox_detach(theirs, s->owner))
			run(s, fn, ctx, s->owner);
		_exit(0);
	}
	if (s->pid < 0)
		return -errno;
	s->control = steal_fd(&ours);
	*out = steal_ptr(s);
	return 0;
}

void spawner_set_wait(struct spawner *s, int ms)
{
	s->wait_ms = ms;
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	for (int ms = 0; ms < REAP_MS && !waitpid(pid, NULL, WNOHANG); ms++)
		usleep(1000);
}

void spawner_free(struct spawner *s)
{
	if (!s)
		return;
	close(s->control);
	if (s->owner == getpid()) { /* otherwise it belongs to the parent */
		end_process(s->pid);
	}
	free(s);
}

/* kiln takes no descriptor from these processes: one of a hung file server would hang whoever closes
 * it. Linux 6.16 can refuse them; older ones drop what is not asked for. */
static void refuse_descriptors(int sock)
{
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
	int none = 0;

	setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof(none));
}

static int await_answer(struct spawner *s, struct spawned *out)
{
	struct pollfd p = {.fd = s->control, .events = POLLIN};
	int n;

	while ((n = poll(&p, 1, s->wait_ms)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	if (wire_recv(s->control, s->msg, NULL) != sizeof(*out))
		return -ECONNABORTED;
	memcpy(out, s->msg, sizeof(*out));
	return 0;
}

/* Nobody waits any more for the processes of earlier requests. */
static int await_pid(struct spawner *s, pid_t *pid)
{
	struct spawned answer;
	int err;

	while (!(err = await_answer(s, &answer)) && answer.number != s->number)
		if (answer.pid > 0)
			end_process(answer.pid);
	if (err)
		return err;
	*pid = answer.pid;
	return answer.pid < 0 ? answer.pid : 0;
}

unsigned spawners_gone(void)
{
	return atomic_load(&gone);
}

static int ask(struct spawner *s, int theirs, pid_t *pid)
{
	int err = wire_send(s->control, &s->number, sizeof(s->number), theirs) ?: await_pid(s, pid);

	if ((err == -EPIPE || err == -ECONNRESET || err == -ECONNABORTED) && !s->is_gone) {
		s->is_gone = true;
		atomic_fetch_add(&gone, 1);
		log_warning("a process that starts readers has ended, killed perhaps: without it "
			    "new files have no names");
	}
	return err;
}

int spawner_spawn(struct spawner *s, pid_t *pid, int *sock)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK))
		return -errno;
	refuse_descriptors(ours);
	s->number++;
	err = ask(s, theirs, pid);
	if (!err)
		*sock = steal_fd(&ours);
	return err;
}
