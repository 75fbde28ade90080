// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Live profiles. The server asks over a socket whose other end the supervisor keeps, and never reads: when
 * there is a request it starts a process that takes it, records and answers. One at a time.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/live_role.h"
#include "profiler/agent/supervisor_priv.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/http/live.h"

#define PAUSE_NS 1000000000ull /* after a process that took nothing */

void live_connect(struct supervisor *s)
{
	const struct control_msg m = {.kind = CONTROL_CHANNEL};
	struct child *server = &s->children[ROLE_SERVER];
	int pair[2];

	cleanup_close_fd(&s->live.fd);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		log_warning("no live profiles: %s", strerror(errno));
		return;
	}
	s->live.fd = pair[0];
	if (control_send(server->control, &m, pair[1]))
		child_kill(server);
	close(pair[1]);
}

static int child_main(int fd, const struct identity *who, pid_t parent)
{
	int err = child_enter(&roles[ROLE_SAMPLER], "kiln-live", fd, NULL, who, parent);

	return err ?: live_role_run(CONFINE_FD);
}

void live_turn(struct supervisor *s, bool has_request)
{
	struct live *l = &s->live;
	uint64_t now_ns = monotonic_ns();
	pid_t parent = getpid();

	if (l->pid && now_ns > l->until_ns)
		kill(l->pid, SIGKILL);
	if (!has_request || l->pid || now_ns < l->pause_ns || s->phase != PHASE_RUNNING)
		return;
	l->pid = fork();
	if (!l->pid) {
		config_forget_secrets(s->config);
		config_forget_secrets(s->fresh);
		config_forget_secrets(s->trial.config);
		exit(child_main(l->fd, &s->who, parent) ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (l->pid < 0) {
		log_warning("no process for a live profile: %s", strerror(errno));
		l->pid = 0;
	}
	l->pause_ns = now_ns + PAUSE_NS;
	l->until_ns = now_ns + (LIVE_MAX_SECONDS + 60) * 1000000000ull;
}

/* A server whose request nobody will answer any more asks anew over another socket. */
bool live_ended(struct supervisor *s, pid_t pid, int status)
{
	if (pid != s->live.pid)
		return false;
	s->live.pid = 0;
	if (status && s->children[ROLE_SERVER].state == CHILD_READY)
		live_connect(s);
	return true;
}

int live_poll_fd(const struct supervisor *s)
{
	return s->live.pid || monotonic_ns() < s->live.pause_ns ? -1 : s->live.fd;
}

void live_end(struct supervisor *s)
{
	cleanup_close_fd(&s->live.fd);
	if (s->live.pid > 0)
		kill(s->live.pid, SIGKILL);
}
