// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/role_env.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "profiler/base/log.h"

static void send(struct role_env *env, const struct control_msg *m)
{
	if (control_send(env->control, m, -1))
		return;
}

void role_say(struct role_env *env, enum control_kind kind)
{
	send(env, &(struct control_msg){.kind = kind});
}

void role_ready(struct role_env *env)
{
	role_say(env, CONTROL_READY);
	log_set_limit(env->log_lines);
}

void role_failed(struct role_env *env, int err)
{
	send(env, &(struct control_msg){.kind = CONTROL_FAILED, .err = err});
}

void role_beat(struct role_env *env, uint64_t now_ns)
{
	if (now_ns - env->told_ns < env->beat_ns)
		return;
	env->told_ns = now_ns;
	role_say(env, CONTROL_BEAT);
}

static void wake(int sig)
{
	(void)sig;
}

int role_let_control_wake(const struct role_env *env)
{
	struct sigaction act = {.sa_handler = wake, .sa_flags = SA_RESTART};
	int flags = fcntl(env->control, F_GETFL);

	return flags < 0 || sigaction(SIGIO, &act, NULL) ||
			       fcntl(env->control, F_SETOWN, getpid()) ||
			       fcntl(env->control, F_SETFL, flags | O_ASYNC)
		       ? -errno
		       : 0;
}
