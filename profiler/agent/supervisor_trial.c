// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Before any process is ended for a new configuration, another one with the privileges for it reads its files, and then
 * another those that the configuration names. It may hang on a file server: the supervisor does not wait for it, and
 * gives it up.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/held_secrets.h"
#include "profiler/agent/supervisor_priv.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"

static int trial_main(struct config *c, int env_secrets, pid_t parent)
{
	int err = held_secrets_get(c, NULL) ?: held_secrets_get_env(env_secrets);

	err = err ?: child_begin("kiln-trial", STDERR_FILENO, parent);

	if (err)
		return err;
	confine_raise(true);
	return roles_check(c, false);
}

static void end_trial(struct trial *t, enum trial_result result)
{
	t->pid = 0;
	t->result = result;
}

static void began(struct trial *t)
{
	t->until_ns = monotonic_ns() + TRIAL_NS;
	if (t->pid > 0)
		return;
	log_error("no process to try the configuration: %s", strerror(errno));
	end_trial(t, TRIAL_BAD);
}

void trial_begin(struct supervisor *s, struct config *fresh)
{
	struct trial *t = &s->trial;
	pid_t parent = getpid();

	t->config = fresh;
	t->pid = fork();
	if (!t->pid)
		exit(trial_main(fresh, s->env_secrets, parent) ? EXIT_FAILURE : EXIT_SUCCESS);
	began(t);
}

/* What is wrong the supervisor says, when it reads them. */
static void read_main(const struct supervisor *s, pid_t parent)
{
	struct config *c = NULL;
	int err = child_begin("kiln-trial", STDERR_FILENO, parent);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (err || null < 0)
		return;
	dup2(null, STDERR_FILENO);
	confine_raise(true);
	if (!s->opts->load(s->opts->load_ctx, &c))
		config_free(c);
}

void trial_read(struct supervisor *s)
{
	struct trial *t = &s->trial;
	pid_t parent = getpid();

	t->reads = true;
	t->pid = fork();
	if (!t->pid) {
		read_main(s, parent);
		exit(EXIT_SUCCESS);
	}
	began(t);
}

bool trial_ended(struct supervisor *s, pid_t pid, int status)
{
	if (pid != s->trial.pid)
		return false;
	end_trial(&s->trial, status && !s->trial.reads ? TRIAL_BAD : TRIAL_GOOD);
	return true;
}

/* One that hangs in the kernel ends when it can, and nobody waits for it. */
void trial_watch(struct supervisor *s)
{
	struct trial *t = &s->trial;

	if (!t->pid || monotonic_ns() < t->until_ns)
		return;
	log_error("the %sconfiguration could not be read within %llu s",
		  t->reads ? "" : "files of the ", TRIAL_NS / 1000000000);
	trial_end(s);
}

void trial_end(struct supervisor *s)
{
	if (s->trial.pid <= 0)
		return;
	kill(s->trial.pid, SIGKILL);
	end_trial(&s->trial, TRIAL_BAD);
}
