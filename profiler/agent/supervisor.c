// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/held_secrets.h"
#include "profiler/agent/log_setup.h"
#include "profiler/agent/supervisor_priv.h"
#include "profiler/agent/upload_metrics.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/log.h"
#include "profiler/base/min.h"
#include "profiler/base/text.h"
#include "profiler/metrics/metrics.h"

#define TURN_NS	       5000000000ull  /* how often it looks, if nothing happens */
#define PATIENCE_NS    30000000000ull /* so long a process may say nothing */
#define LATE_NS	       2000000000ull  /* who wakes up so late was stopped himself */
#define LEAST_PATIENCE 10000000000ull
#define LEAST_FILES    256
#define START_PATIENCE                                                                             \
	4 /* times as long until it has started: programs load, and stores are mended */

static const enum metric restart_metric[ROLE_COUNT] = {
	[ROLE_SAMPLER] = METRIC_restarts_sampler,     [ROLE_WRITER] = METRIC_restarts_writer,
	[ROLE_SERVER] = METRIC_restarts_server,	      [ROLE_UPLOADER] = METRIC_restarts_uploader,
	[ROLE_DEBUGINFO] = METRIC_restarts_debuginfo,
};
static const enum role_id end_order[ROLE_COUNT] = ROLE_END_ORDER;

/* --- starting ----------------------------------------------------------------------------------- */

/* What the sampler's windows and files go through, anew each time that one of the ends starts. */
static void connect_sampler(struct supervisor *s, enum role_id to, enum control_kind kind)
{
	struct child *ends[] = {&s->children[ROLE_SAMPLER], &s->children[to]};
	const struct control_msg m = {.kind = kind};
	int pair[2];

	/* A sampler that was asked to end has windows to send. */
	if ((ends[0]->state != CHILD_READY && ends[0]->state != CHILD_ENDING) ||
	    ends[1]->state != CHILD_READY)
		return;
	if (control_pair(pair)) {
		log_error("no socket for the %s: %s", ends[1]->role->name, strerror(errno));
		child_kill(ends[1]);
		return;
	}
	for (int i = 0; i < 2; i++) {
		if (control_send(ends[i]->control, &m, pair[i]))
			child_kill(ends[i]);
		close(pair[i]);
	}
}

static void fail(struct supervisor *s, int err)
{
	s->err = s->err ?: err;
	s->phase = PHASE_ENDING;
}

static void start_role(struct supervisor *s, enum role_id id)
{
	struct child *c = &s->children[id];
	int err = child_start(c, s->fresh ?: s->config, s->fresh ? s->config : s->trial.config,
			      s->metrics, &s->who, s->beat_ns);

	if (!err)
		return;
	log_error("the %s cannot be started: %s", c->role->name, strerror(-err));
	child_back_off(c);
	if (s->phase == PHASE_STARTING)
		fail(s, err);
}

static void announce(struct supervisor *s)
{
	s->phase = PHASE_RUNNING;
	log_set_limit(SUPERVISOR_LOG_LINES);
	notify_send(&s->notifier, "READY=1");
	supervisor_tell_status(s);
}

/* With this configuration there is nothing for it to do. */
static void leave_off(struct supervisor *s, enum role_id id)
{
	child_set_state(&s->children[id], CHILD_GONE);
	if (s->phase == PHASE_STARTING && supervisor_all_ready(s))
		announce(s);
	if (!s->restarting[id])
		return;
	s->restarting[id] = false;
	if (!reload_goes_on(s))
		reload_take(s);
}

/* While it ends only the writer is of use: the sampler may have windows yet. */
static bool may_start(const struct supervisor *s, enum role_id id)
{
	return s->phase != PHASE_ENDING ||
	       (id == ROLE_WRITER && s->children[ROLE_SAMPLER].state != CHILD_GONE);
}

/* One after the other at first, so that the first complaint is the only one. */
static void start_due(struct supervisor *s)
{
	uint64_t now_ns = monotonic_ns();

	for (int i = 0; i < ROLE_COUNT; i++) {
		struct child *c = &s->children[i];

		if (c->state == CHILD_OFF && !role_is_wanted(c->role, s->fresh ?: s->config))
			leave_off(s, (enum role_id)i);
		if (c->state == CHILD_OFF && now_ns >= c->retry_ns && may_start(s, (enum role_id)i))
			start_role(s, (enum role_id)i);
		if (s->phase == PHASE_STARTING && c->state == CHILD_STARTING)
			return;
	}
}

/* --- losses ------------------------------------------------------------------------------------- */

/* A sampler that has just started puts them into its first window. */
static void tell_losses(struct supervisor *s)
{
	struct child *c = &s->children[ROLE_SAMPLER];
	const struct control_msg m = {.kind = CONTROL_LOSSES, .losses = s->losses};

	if (c->state != CHILD_READY || !s->losses.restarts)
		return;
	if (!control_send(c->control, &m, -1))
		s->losses = (struct restart_losses){0};
}

/* Its open window is lost, and those that waited for a writer. */
static void count_sampler_end(struct supervisor *s)
{
	uint64_t lost = 1 + s->status.unsent;

	s->losses.windows_lost += lost;
	s->past_stored += s->status.stored;
	s->past_lost += s->status.lost + lost;
	s->status = (struct sampling_status){.hz = s->status.hz};
	log_warning("the sampler is started again: what it took in the last %.1f s is lost, and "
		    "%" PRIu64 " window%s that waited",
		    (double)(monotonic_ns() - s->window_ns) / 1e9, lost - 1, text_s(lost - 1));
}

/* --- what processes say ------------------------------------------------------------------------- */

static void became_ready(struct supervisor *s, enum role_id id)
{
	struct child *c = &s->children[id];

	child_set_state(c, CHILD_READY);
	c->was_ready = true;
	if (id == ROLE_SAMPLER && !s->window_ns)
		s->window_ns = c->since_ns; /* until it tells */
	if (id == ROLE_SAMPLER && s->losses.windows_lost)
		s->losses.unsampled_ms += (c->since_ns - s->window_ns) / 1000000;
	if (id == ROLE_SAMPLER || id == ROLE_WRITER)
		connect_sampler(s, ROLE_WRITER, CONTROL_CHANNEL);
	if (id == ROLE_SAMPLER || id == ROLE_DEBUGINFO)
		connect_sampler(s, ROLE_DEBUGINFO, CONTROL_FILES);
	if (id == ROLE_SERVER)
		live_connect(s);
	tell_losses(s);
	if (s->restarting[id]) {
		s->restarting[id] = false;
		if (!reload_goes_on(s))
			reload_take(s);
	}
	if (s->phase == PHASE_STARTING && supervisor_all_ready(s))
		announce(s);
	else
		supervisor_tell_status(s);
}

static void take_message(void *ctx, struct child *c, const struct control_msg *m)
{
	struct supervisor *s = ctx;
	enum role_id id = (enum role_id)(c - s->children);

	c->beat_ns = monotonic_ns();
	switch ((enum control_kind)m->kind) {
	case CONTROL_READY:
		c->has_begun = true;
		if (c->state == CHILD_STARTING)
			became_ready(s, id);
		else if (id == ROLE_SAMPLER) /* it was asked to end meanwhile */
			connect_sampler(s, ROLE_WRITER, CONTROL_CHANNEL);
		break;
	case CONTROL_FAILED:
		c->err = m->err < 0 && m->err > -4096 ? m->err : -EIO;
		break;
	case CONTROL_STATUS:
		if (id != ROLE_SAMPLER)
			break;
		s->status = m->status;
		if (m->status.window_ns && m->status.window_ns <= c->beat_ns)
			s->window_ns = m->status.window_ns;
		supervisor_tell_status(s);
		break;
	case CONTROL_RELOADED:
		if (id == ROLE_SAMPLER && s->is_told)
			reload_done(s, m->err < 0 && m->err > -4096 ? m->err : 0);
		break;
	default:
		break;
	}
}

static void hear(struct supervisor *s)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		child_hear(&s->children[i], take_message, s);
}

/* --- what becomes of them ----------------------------------------------------------------------- */

/* It was asked to end, or there is nothing to go on with. */
static bool is_meant_to_end(const struct supervisor *s, const struct child *c)
{
	if (s->phase == PHASE_ENDING)
		return c->state == CHILD_ENDING || !c->was_ready ||
		       c->role == &roles[end_order[s->ending]];
	return s->phase == PHASE_STARTING && !c->was_ready && !c->role->is_optional;
}

/* Nothing was lost with one that the agent can do without and that had not begun, such as an uploader whose
 * cursors a killed one before it still locks. */
static bool is_missed(const struct child *c)
{
	return c->has_begun || !c->role->is_optional;
}

/* The writer has found another directory at the store's path. Others may reach the old one alone. */
static void leave_store(struct supervisor *s)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (s->children[i].state == CHILD_READY && roles[i].reads_store)
			child_end(&s->children[i]);
}

static void note_crash(struct supervisor *s, enum role_id id, const char *how)
{
	struct child *c = &s->children[id];

	if (!c->was_ready) { /* it has said why */
		log_warning("the %s does not start, and is tried again", c->role->name);
		child_back_off(c);
		child_set_state(c, CHILD_OFF);
		return;
	}
	c->restarts++;
	metrics_add(s->metrics, restart_metric[id], 1);
	if (id == ROLE_SAMPLER)
		metrics_set(s->metrics, METRIC_sampling, 0);
	if (id == ROLE_WRITER)
		metrics_set(s->metrics, METRIC_store_open, 0);
	if (id == ROLE_WRITER && c->err == -ESTALE)
		leave_store(s);
	s->losses.restarts++;
	log_warning("the %s %s, and is started again", c->role->name, how);
	if (id == ROLE_SAMPLER) {
		count_sampler_end(s);
		if (s->is_told)
			reload_done(s, 0);
	}
	child_back_off(c);
	child_set_state(c, CHILD_OFF);
	tell_losses(s);
}

/* One that was restarted for a new configuration. */
static void note_restart(struct supervisor *s, enum role_id id)
{
	struct child *c = &s->children[id];

	/* With the new one it does not start. */
	if (c->state != CHILD_ENDING)
		reload_refuse(s);
	c->retry_ns = 0;
	child_set_state(c, CHILD_OFF);
}

/* Of all samplers. */
static void say_sums(const struct supervisor *s)
{
	uint64_t stored = s->past_stored + s->status.stored;

	log_set_limit(0);
	log_info("ending: %" PRIu64 " window%s stored, %" PRIu64 " lost", stored, text_s(stored),
		 s->past_lost + s->status.lost);
}

static void note_end(struct supervisor *s, enum role_id id, int status)
{
	struct child *c = &s->children[id];
	bool was_asked = c->state == CHILD_ENDING;
	char how[64];

	child_end_text(status, how, sizeof(how));
	child_hear(c, take_message, s); /* its last words */
	child_gone(c);
	if (is_meant_to_end(s, c)) {
		if (status && s->phase == PHASE_ENDING && was_asked)
			log_error("the %s %s", c->role->name, how);
		if (status && is_missed(c))
			fail(s, c->err ?: -EIO);
		if (id == ROLE_SAMPLER && was_asked)
			say_sums(s);
		child_set_state(c, CHILD_GONE);
	} else if (was_asked || s->restarting[id]) {
		note_restart(s, id);
	} else {
		note_crash(s, id, how);
	}
	supervisor_tell_status(s);
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (live_ended(s, pid, status) || trial_ended(s, pid, status))
			continue;
		for (int i = 0; i < ROLE_COUNT; i++)
			if (s->children[i].pid == pid)
				note_end(s, (enum role_id)i, status);
	}
}

/* One after the other, each when the one before it has flushed. */
static void end_next(struct supervisor *s)
{
	while (s->phase == PHASE_ENDING && s->ending < ROLE_COUNT) {
		struct child *c = &s->children[end_order[s->ending]];

		if (c->state == CHILD_OFF)
			child_set_state(c, CHILD_GONE);
		if (c->state != CHILD_GONE) {
			if (c->state != CHILD_ENDING)
				child_end(c);
			return;
		}
		s->ending++;
	}
}

static void end_if_silent(struct supervisor *s, struct child *c, uint64_t now_ns)
{
	bool starts = c->state == CHILD_STARTING;
	uint64_t silent_ns = now_ns - c->beat_ns;

	if (silent_ns <= s->patience_ns * (starts ? START_PATIENCE : 1))
		return;
	log_warning("the %s has not %s for %.0f s", c->role->name, starts ? "started" : "answered",
		    (double)silent_ns / 1e9);
	child_kill(c);
	c->beat_ns = now_ns;
}

/* A container that is frozen, or kill -STOP of all: nobody could say anything, and nobody hangs. */
static void forgive(struct supervisor *s, uint64_t due_ns)
{
	uint64_t now_ns = monotonic_ns();

	if (now_ns < due_ns + LATE_NS)
		return;
	log_warning("the agent was stopped for %.0f s", (double)(now_ns - due_ns) / 1e9);
	for (int i = 0; i < ROLE_COUNT; i++)
		child_forgive(&s->children[i], now_ns - due_ns, now_ns);
	s->trial.until_ns += now_ns - due_ns;
	s->live.until_ns += now_ns - due_ns;
}

/* Whoever says nothing hangs; whoever was asked to end has some time for it. */
static void watch(struct supervisor *s)
{
	uint64_t now_ns = monotonic_ns();
	bool all_answer = s->phase != PHASE_STARTING;

	for (int i = 0; i < ROLE_COUNT; i++) {
		struct child *c = &s->children[i];

		if (child_is_late(c, now_ns))
			child_kill(c);
		if (c->state == CHILD_READY && s->notifier.watchdog_ns &&
		    now_ns - c->beat_ns > s->notifier.watchdog_ns / 2)
			all_answer = false;
		if (c->state == CHILD_READY || c->state == CHILD_STARTING)
			end_if_silent(s, c, now_ns);
	}
	if (all_answer)
		notify_watchdog(&s->notifier, now_ns);
}

/* --- the loop ----------------------------------------------------------------------------------- */

static void take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			s->reload_requested = true;
		} else if (info.ssi_signo != SIGCHLD && s->phase != PHASE_ENDING) {
			if (reload_is_under_way(s)) /* the manager waits for it */
				reload_end(s);
			s->phase = PHASE_ENDING;
			notify_send(&s->notifier, "STOPPING=1");
		}
	}
}

static int wait_ms(const struct supervisor *s)
{
	uint64_t now_ns = monotonic_ns(), wait_ns = min_u64(TURN_NS, s->beat_ns);

	if (s->notifier.watchdog_ns && s->notifier.watchdog_ns / 8 < wait_ns)
		wait_ns = s->notifier.watchdog_ns / 8;
	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct child *c = &s->children[i];
		uint64_t left_ns = c->retry_ns > now_ns ? c->retry_ns - now_ns : 0;

		if (c->state == CHILD_OFF && left_ns < wait_ns && may_start(s, (enum role_id)i) &&
		    (s->phase != PHASE_STARTING || !i))
			wait_ns = left_ns;
	}
	return (int)((wait_ns + 999999) / 1000000);
}

/* Whether there is a request for a live profile. */
static bool wait_for_news(struct supervisor *s)
{
	struct pollfd p[ROLE_COUNT + 2] = {{.fd = s->signals, .events = POLLIN}};
	int ms = wait_ms(s), n;
	uint64_t due_ns = monotonic_ns() + (uint64_t)ms * 1000000;

	p[ROLE_COUNT + 1] = (struct pollfd){.fd = live_poll_fd(s), .events = POLLIN};
	for (int i = 0; i < ROLE_COUNT; i++)
		p[i + 1] = (struct pollfd){.fd = s->children[i].control, .events = POLLIN};
	n = poll(p, ROLE_COUNT + 2, ms);
	forgive(s, due_ns);
	return n > 0 && (p[ROLE_COUNT + 1].revents & POLLIN);
}

static int run(struct supervisor *s)
{
	while (s->phase != PHASE_ENDING || s->ending < ROLE_COUNT) {
		bool live;

		start_due(s);
		live = wait_for_news(s);
		take_signals(s);
		hear(s);
		reap(s);
		live_turn(s, live);
		trial_watch(s);
		reload_look(s);
		if (s->reload_requested)
			reload_begin(s);
		watch(s);
		end_next(s);
	}
	return s->err;
}

static int open_signals(struct supervisor *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

static void set_patience(struct supervisor *s)
{
	const char *test = getenv("KILN_TEST_PATIENCE_MS");
	uint64_t half_ns = s->notifier.watchdog_ns / 2, ms;

	s->patience_ns = !half_ns || half_ns > PATIENCE_NS ? PATIENCE_NS : half_ns;
	if (s->patience_ns < LEAST_PATIENCE)
		s->patience_ns = LEAST_PATIENCE;
	if (test && !text_parse_u64(test, 600000, &ms))
		s->patience_ns = ms * 1000000;
	s->beat_ns = s->patience_ns / 6;
	if (half_ns && half_ns / 4 < s->beat_ns)
		s->beat_ns = half_ns / 4;
}

/* Each process has sockets, and the store and its log open; what needs more asks for it. */
static int look_at_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= LEAST_FILES)
		return 0;
	if (l.rlim_max >= LEAST_FILES) {
		l.rlim_cur = LEAST_FILES;
		return setrlimit(RLIMIT_NOFILE, &l) ? -errno : 0;
	}
	log_error("the limit of open files is %llu (ulimit -n): the agent wants %d",
		  (unsigned long long)l.rlim_max, LEAST_FILES);
	return -EMFILE;
}

static void begin_child(struct supervisor *s, enum role_id id)
{
	child_init(&s->children[id], &roles[id]);
	s->children[id].env_secrets = s->env_secrets;
}

static int hold_secrets(struct supervisor *s)
{
	int err;

	s->secrets_seed = hash_random_seed();
	err = held_secrets_put(s->config, s->secrets_seed) ?: held_secrets_put_env(&s->env_secrets);
	if (err)
		log_error("the agent cannot put secrets away: %s", strerror(-err));
	return err;
}

static int begin(struct supervisor *s)
{
	int err;

	/* What the starter left open is for nobody. */
	confine_close_from(STDERR_FILENO + 1);
	log_setup(s->config);
	err = look_at_limits() ?: hold_secrets(s);
	if (err)
		return err;
	err = notify_open(&s->notifier);
	if (err)
		log_warning("NOTIFY_SOCKET cannot be used: %s", strerror(-err));
	set_patience(s);
	s->metrics = metrics_new(); /* without it nothing is counted, and all else goes on */
	metrics_describe(s->metrics, &upload_metrics);
	metrics_set(s->metrics, METRIC_start_unix_ns, (uint64_t)unix_ns());
	metrics_set(s->metrics, METRIC_config_reload_successful, 1);
	supervisor_say_share(s);
	confine_find_user(&s->who);
	for (int i = 0; i < ROLE_COUNT; i++)
		begin_child(s, (enum role_id)i);
	err = confine_supervisor(roles_caps()) ?: open_signals(s);
	if (err)
		log_error("the agent cannot start: %s", strerror(-err));
	return err;
}

int supervise(struct config *config, const struct supervisor_opts *opts)
{
	struct supervisor s = {
		.opts = opts, .config = config, .env_secrets = -1, .signals = -1, .live.fd = -1};
	int err = begin(&s) ?: run(&s);

	live_end(&s);
	trial_end(&s);
	supervisor_remove_socket(s.config);
	cleanup_close_fd(&s.signals);
	cleanup_close_fd(&s.env_secrets);
	metrics_free(s.metrics);
	notify_close(&s.notifier);
	config_free(s.trial.config);
	buf_release(&s.changes);
	config_free(s.fresh);
	config_free(s.config);
	return err;
}
