// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/sandbox/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/sandbox/message.h"
#include "symbolizer/sandbox/sandbox.h"

/* A fork takes milliseconds, unless the machine is overloaded. */
#define SPAWN_WAIT_MS 10000
#define CONTROL	      3 /* as sandbox_detach() leaves it */
/* Wait for a killed process. In a cgroup that is frozen it ends when that thaws. */
#define REAP_MS 1000

struct spawner {
	int control;
	pid_t pid, owner; /* owner: the process that forked it */
	bool lost;	  /* the next message may answer an earlier request */
	char msg[WIRE_BYTES_MAX];
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
	int32_t pid;
	int sock;

	while (wire_recv(CONTROL, s->msg, &sock) > 0) {
		pid = fork_sibling();
		if (!pid) {
			close(CONTROL);
			_exit(-fn(ctx, sock, parent) & 0xff);
		}
		if (pid < 0)
			pid = -errno;
		close(sock);
		if (wire_send(CONTROL, &pid, sizeof(pid), -1))
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

void spawner_free(struct spawner *s)
{
	if (!s)
		return;
	close(s->control);
	if (s->owner == getpid()) { /* otherwise it belongs to the parent */
		kill(s->pid, SIGKILL);
		for (int ms = 0; ms < REAP_MS && !waitpid(s->pid, NULL, WNOHANG); ms++)
			usleep(1000);
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

static int await_pid(struct spawner *s, pid_t *pid)
{
	struct pollfd p = {.fd = s->control, .events = POLLIN};
	int32_t answer;
	int n;

	while ((n = poll(&p, 1, SPAWN_WAIT_MS)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	if (wire_recv(s->control, s->msg, NULL) != sizeof(answer))
		return -ECONNABORTED;
	s->lost = false;
	memcpy(&answer, s->msg, sizeof(answer));
	*pid = answer;
	return answer < 0 ? answer : 0;
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
	if (s->lost)
		return -ECONNABORTED;
	s->lost = true;
	err = wire_send(s->control, "x", 1, theirs) ?: await_pid(s, pid);
	if (!err)
		*sock = steal_fd(&ours);
	return err;
}
