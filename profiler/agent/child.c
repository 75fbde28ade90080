// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/held_secrets.h"
#include "profiler/agent/role_env.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/min.h"
#include "profiler/base/text.h"

#define BACKOFF_LEAST_NS 100000000ull
#define LONG_LIFE_NS	 60000000000ull /* the next start is not put off for long */

void child_init(struct child *c, const struct role *role)
{
	*c = (struct child){
		.role = role,
		.control = -1,
		.env_secrets = -1,
		.backoff_ns = BACKOFF_LEAST_NS,
		.state = role->run ? CHILD_OFF : CHILD_GONE,
	};
}

void child_set_state(struct child *c, enum child_state state)
{
	c->state = state;
	c->since_ns = monotonic_ns();
}

/* --- in the new process ------------------------------------------------------------------------- */

/* A terminal and a service manager signal all processes; the supervisor tells its own what to do. */
static void leave_signals(void)
{
	/* A limit of file sizes is an error, as a full disk is. */
	static const int ignored[] = {SIGINT,  SIGQUIT, SIGTERM, SIGHUP,
				      SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int child_begin(const char *comm, int keep_fd, pid_t parent)
{
	leave_signals();
	log_set_limit(0);
	prctl(PR_SET_NAME, comm, 0, 0, 0);
	return confine_detach(keep_fd, parent);
}

int child_enter(const struct role *r, const char *comm, int keep_fd, struct role_env *env,
		const struct identity *who, pid_t parent)
{
	int err = child_begin(comm, keep_fd, parent);

	if (err)
		log_error("the %s cannot start: %s", r->name, strerror(-err));
	if (!err && env && r->prepare) {
		confine_raise(true);
		err = r->prepare(env);
	}
	return err ?: role_enter(r, env ? env->config : NULL, who, parent);
}

/* Before descriptors are closed. Who does not send forgets where they are. */
static int take_secrets(const struct child *c, struct config *config, struct config *other)
{
	const struct role *r = c->role;
	int err = 0;

	config_forget_secrets(other);
	if (!r->uploads)
		config_forget_secrets(config);
	else
		err = held_secrets_get(config, r->sends_to);
	if (r->uploads && !r->sends_to)
		err = err ?: held_secrets_get_env(c->env_secrets);
	if (err)
		log_error("the %s cannot read its secrets: %s", r->name, strerror(-err));
	return err;
}

static int live(const struct role *r, struct role_env *env, const struct identity *who,
		pid_t parent)
{
	int err = child_enter(r, r->comm, env->control, env, who, parent);

	env->control = CONFINE_FD;
	if (err)
		config_free(env->config);
	else
		err = r->run(env);
	if (err)
		role_failed(env, err);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- in the supervisor -------------------------------------------------------------------------- */

int child_start(struct child *c, struct config *config, struct config *other,
		struct metrics *metrics, const struct identity *who, uint64_t beat_ns)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	struct role_env env = {.config = config,
			       .metrics = metrics,
			       .beat_ns = beat_ns,
			       .log_lines = c->role->log_lines};
	pid_t parent = getpid();
	int pair[2], err = control_pair(pair);

	if (err)
		return err;
	ours = pair[0];
	theirs = pair[1];
	env.control = theirs;
	env.is_restart = c->was_ready;
	c->pid = fork();
	if (!c->pid) {
		if (take_secrets(c, config, other))
			exit(EXIT_FAILURE);
		exit(live(c->role, &env, who, parent));
	}
	if (c->pid < 0)
		return -errno;
	c->control = steal_fd(&ours);
	c->err = 0;
	c->has_begun = false;
	child_set_state(c, CHILD_STARTING);
	c->beat_ns = c->since_ns;
	return 0;
}

/* None of them may send descriptors. */
void child_hear(struct child *c,
		void (*take)(void *ctx, struct child *c, const struct control_msg *m), void *ctx)
{
	struct control_msg m;
	int r = 1;

	for (unsigned n = 0; r > 0 && n < CHILD_HEARD_MAX && child_runs(c); n++) {
		r = control_recv(c->control, &m, NULL);
		if (r > 0)
			take(ctx, c, &m);
	}
	if (r == -EBADMSG)
		child_kill(c);
}

void child_end(struct child *c)
{
	if (control_send(c->control, &(struct control_msg){.kind = CONTROL_END}, -1))
		child_kill(c);
	child_set_state(c, CHILD_ENDING);
}

void child_kill(struct child *c)
{
	if (c->pid > 0 && kill(c->pid, SIGKILL))
		log_debug("the %s cannot be ended: %d", c->role->name, errno);
}

bool child_is_late(const struct child *c, uint64_t now_ns)
{
	uint64_t heard_ns = c->beat_ns > c->since_ns ? c->beat_ns : c->since_ns;

	return c->state == CHILD_ENDING &&
	       (now_ns - heard_ns > CHILD_END_NS || now_ns - c->since_ns > CHILD_END_MOST_NS);
}

void child_forgive(struct child *c, uint64_t late_ns, uint64_t now_ns)
{
	c->beat_ns = min_u64(c->beat_ns + late_ns, now_ns);
	c->since_ns = min_u64(c->since_ns + late_ns, now_ns);
}

void child_gone(struct child *c)
{
	close(steal_fd(&c->control));
	c->pid = 0;
}

/* One that has never started has a reason that lasts, such as a port that is taken. */
static uint64_t most_backoff_ns(const struct child *c)
{
	const char *test = getenv("KILN_TEST_BACKOFF_MS");
	uint64_t ms;

	if (test && !text_parse_u64(test, 60000, &ms))
		return ms * 1000000;
	return c->role->is_optional && c->state == CHILD_STARTING ? CHILD_BACKOFF_REFUSED_NS
								  : CHILD_BACKOFF_NS;
}

void child_back_off(struct child *c)
{
	uint64_t now_ns = monotonic_ns();

	if (c->state == CHILD_READY && now_ns - c->since_ns >= LONG_LIFE_NS)
		c->backoff_ns = BACKOFF_LEAST_NS;
	c->retry_ns = now_ns + c->backoff_ns;
	c->backoff_ns *= 2;
	if (c->backoff_ns > most_backoff_ns(c))
		c->backoff_ns = most_backoff_ns(c);
}

void child_try_soon(struct child *c)
{
	c->retry_ns = 0;
	c->backoff_ns = BACKOFF_LEAST_NS;
}

const char *child_end_text(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
	return out;
}
