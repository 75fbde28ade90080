// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/config_values.h"
#include "profiler/agent/cost_report.h"
#include "profiler/agent/governor.h"
#include "profiler/agent/labels.h"
#include "profiler/agent/log_setup.h"
#include "profiler/agent/offers.h"
#include "profiler/agent/outbox.h"
#include "profiler/agent/role_env.h"
#include "profiler/agent/self_cost.h"
#include "profiler/agent/user_labels.h"
#include "profiler/agent/window_clock.h"
#include "profiler/agent/window_parts.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/min.h"
#include "profiler/base/quantity.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/collect/collector.h"
#include "profiler/metrics/metrics.h"
#include "symbolizer/sandbox/spawner.h"

#define TURN_NS	      1000000000ull /* how often the rings are looked at: they hold a minute at 999 Hz */
#define DRAIN_NS      10000000000ull /* the kernel's maps hold the counts of so long */
#define TURN_PATIENCE 30 /* turns that fail, one after the other, before the agent gives up */
/* Starting the collector costs half a second of CPU time. */
#define SPAWNERS_LEAST_NS 10000000000ull

#define FLUSH_NS                                                                                   \
	8000000000ull /* so long the last windows may take; the supervisor has more patience */
#define FLUSH_TURN_NS 100000000ull
#define CONFIG_CAP    (1u << 20)

struct agent {
	struct role_env *env;
	struct config *config;
	struct collector *collector;
	struct outbox *outbox;
	struct offers offers;
	struct window_clock clock;
	struct window_parts parts;
	struct governor governor;
	struct self_cost cost;
	struct labels *labels;
	struct user_labels user_labels; /* the collector borrows them */
	uint64_t window_hz;		/* frequency of the window that goes on */
	uint64_t window_ns;		/* when it began, CLOCK_MONOTONIC */
	struct outbox_counts told;	/* what the supervisor knows of */
	struct quality lost;		/* what the next window says, too */
	unsigned failed_turns;
	uint64_t collector_ns; /* when the collector began */
	unsigned gone;	       /* spawners, at that time */
	bool ends;
};

/* --- opening ----------------------------------------------------------------------------------- */

#define SHORT_WINDOW_NS (15 * NS_PER_S)

/* Whoever names does not hang. */
static void beat(void *ctx)
{
	struct agent *a = ctx;

	role_beat(a->env, monotonic_ns());
}

static int start_collector(struct agent *a, const char **why)
{
	struct collector_opts opts = {
		.sampler =
			{
				.freq_hz = a->config->frequency_hz,
				.window_ns = min_u64(a->config->window_ns, DRAIN_NS),
				.user = true,
				.kernel = true,
			},
		.scope = COLLECT_ALL,
		.executables = true,
		/* Files are named at the end of their window. */
		.idle_ns = a->config->window_ns <= SHORT_WINDOW_NS ? 3 * SHORT_WINDOW_NS : 0,
		/* Names are asked for once, and kept: parsed files are seldom needed again. */
		.symbol_bytes = a->config->memory_bytes / 8,
		.aggregate_bytes = a->config->memory_bytes / 16,
		.naming = beat,
		.naming_ctx = a,
	};
	int err = user_labels_make(&a->user_labels, a->config);

	a->collector_ns = monotonic_ns();
	a->gone = spawners_gone();
	*why = "out of memory";
	opts.user_labels = (const char *const *)a->user_labels.list.data;
	return err ?: collector_open(&a->collector, &opts, why) ?:
		      collector_scan(a->collector, 0, why) ?: collector_start(a->collector, why);
}

/* --- windows ----------------------------------------------------------------------------------- */

static void begin_window(struct agent *a)
{
	struct clock_reading now;

	clock_reading_get(&now);
	window_clock_begin(&a->clock, a->config->window_ns, &now);
	a->window_hz = a->governor.hz;
	a->window_ns = now.mono_ns;
}

static void set_gauges(struct agent *a)
{
	struct metrics *m = a->env->metrics;

	metrics_set(m, METRIC_frequency_hz, a->governor.hz);
	metrics_set(m, METRIC_frequency_wanted_hz, a->config->frequency_hz);
	metrics_set(m, METRIC_window_ns, a->config->window_ns);
	metrics_set(m, METRIC_sampling, !a->ends);
	offers_count(&a->offers, m, a->collector);
}

static void send_status(struct agent *a, const struct outbox_counts *n)
{
	struct control_msg m = {.kind = CONTROL_STATUS};

	m.status = (struct sampling_status){
		.hz = a->governor.hz,
		.stored = n->stored,
		.lost = n->lost,
		.unsent = n->unsent,
		.window_ns = a->window_ns,
	};
	a->told = *n;
	set_gauges(a);
	metrics_set(a->env->metrics, METRIC_windows_lost, n->lost);
	if (control_send(a->env->control, &m, -1))
		a->told = (struct outbox_counts){0}; /* it has no room for more now */
}

static void tell_status(struct agent *a)
{
	struct outbox_counts n;

	outbox_counts(a->outbox, &n);
	send_status(a, &n);
}

static bool is_news(const struct agent *a, const struct outbox_counts *n)
{
	return n->stored != a->told.stored || n->lost != a->told.lost ||
	       n->unsent != a->told.unsent;
}

/* What became of windows that were sent. */
static void look_at_outbox(struct agent *a)
{
	struct outbox_counts n;

	outbox_turn(a->outbox);
	outbox_counts(a->outbox, &n);
	metrics_set(a->env->metrics, METRIC_windows_waiting, n.waiting);
	if (is_news(a, &n))
		tell_status(a);
}

/* What the profile says about how it came to be. */
static int note_circumstances(struct agent *a, enum window_event event, int64_t jump_ns)
{
	int err = 0;

	if (event == WINDOW_STEPPED)
		err = window_parts_note(&a->parts, "clock_step_ns", jump_ns);
	else if (event == WINDOW_SLEPT)
		err = window_parts_note(&a->parts, "slept_ns", jump_ns);
	if (a->window_hz < a->config->frequency_hz)
		err = err
			      ?: window_parts_note(&a->parts, "freq_wanted_hz",
						   (int64_t)a->config->frequency_hz);
	return err;
}

static int label_window(struct agent *a)
{
	pid_t own[SELF_COST_MAX];
	size_t n = 0;

	if (a->config->exclude_self)
		n = self_cost_pids(&a->cost, own, SELF_COST_MAX);
	return window_parts_label(&a->parts, a->labels, own, n);
}

static int add_lost(struct agent *a)
{
	struct quality lost;

	outbox_take_lost(a->outbox, &lost);
	metrics_add_lost(a->env->metrics, LOSS_not_stored, lost.lost[LOSS_not_stored]);
	quality_add(&a->lost, &lost);
	return window_parts_add_lost(&a->parts, &a->lost);
}

/* The window is over, for whatever reason: it goes to the store, or is lost and said to be. */
static void end_window(struct agent *a, bool last, enum window_event event, int64_t jump_ns)
{
	struct metrics *m = a->env->metrics;
	uint64_t end_ns = monotonic_ns();
	int err = window_parts_take(&a->parts, a->collector, last,
				    event == WINDOW_SLEPT ? (uint64_t)jump_ns : 0);

	if (err == -ENOSPC)
		err = 0;
	err = err ?: label_window(a); /* it filters */
	metrics_add_window(m, &a->parts.merged.quality);
	if (a->window_hz < a->config->frequency_hz)
		metrics_add(m, METRIC_throttled_ns, end_ns - a->window_ns);
	err = err ?: note_circumstances(a, event, jump_ns);
	err = err ?: add_lost(a);
	if (err)
		outbox_lose(a->outbox, &a->parts.merged.quality, err);
	else
		window_parts_store(&a->parts, a->outbox);
	window_parts_release(&a->parts);
	malloc_trim(0); /* a profile is many small blocks, which glibc would keep until the next */
	begin_window(a);
	a->window_ns =
		end_ns; /* samples were taken while this one was named: they are of the next */
	tell_status(a);
}

static void say_jump(enum window_event event, int64_t jump_ns)
{
	if (event == WINDOW_SLEPT)
		log_info("the machine slept for %.1f s: a gap in the profiles",
			 (double)jump_ns / 1e9);
	else if (event == WINDOW_STEPPED)
		log_info("the clock was set %.1f s %s: a window ends early",
			 (double)llabs(jump_ns) / 1e9, jump_ns < 0 ? "back" : "forward");
}

/* --- the configuration, again ------------------------------------------------------------------ */

/* What the new configuration allows and wants. */
static void set_governor(struct agent *a)
{
	governor_set(&a->governor, a->config->cpu_ppm, collector_cpus(a->collector),
		     a->config->frequency_hz);
}

/* Nothing is sampled meanwhile. */
static int restart_collector(struct agent *a)
{
	struct quality away = {0};
	uint64_t stopped_ns;
	const char *why;
	int err;

	collector_stop(a->collector);
	stopped_ns = monotonic_ns();
	end_window(a, true, WINDOW_ENDS, 0);
	collector_close(steal_ptr(a->collector));
	err = start_collector(a, &why);
	if (err) {
		log_error("%s", why);
		return err;
	}
	offers_connect(&a->offers, a->collector, a->config);
	self_cost_restart(&a->cost, monotonic_ns());
	set_governor(a);
	begin_window(a);
	away.unsampled_ms = (a->window_ns - stopped_ns) / 1000000;
	quality_add(&a->lost, &away);
	return 0;
}

/* -errno: the sampler cannot go on. *refused: 0, or why it stays with what it has. */
static int take_config(struct agent *a, struct config *fresh, int *refused)
{
	struct config *old = a->config;
	bool restart = CONFIG_DIFFERS(fresh, old, CONFIG_KEY_frequency_hz, CONFIG_KEY_labels);

	*refused = labels_set_rules(a->labels, fresh);
	if (*refused) {
		labels_set_rules(a->labels, old);
		config_free(fresh);
		return 0;
	}
	a->config = fresh;
	config_free(old);
	log_setup(fresh);
	if (restart)
		return restart_collector(a);
	offers_reload(&a->offers, a->collector, a->config);
	set_governor(a);
	return 0;
}

/* The supervisor has read it, and prints it for us. */
static int parse_config(struct config **out, int fd)
{
	_cleanup_free_ char *text = NULL;
	struct config_errors errs = {0};
	size_t len;
	int err = io_read_fd(fd, CONFIG_CAP, &text, &len);

	err = err ?: config_parse(out, "the new configuration", text, len, &errs);
	if (err)
		log_error("%s%s", strerror(-err), errs.text.len ? buf_cstr(&errs.text) : "");
	buf_release(&errs.text);
	return err;
}

static int reload(struct agent *a, int fd)
{
	struct control_msg m = {.kind = CONTROL_RELOADED};
	struct config *fresh;
	int err = 0;

	log_set_answering(true);
	m.err = parse_config(&fresh, fd);
	if (!m.err)
		err = take_config(a, fresh, &m.err);
	log_set_answering(false);
	if (!err && control_send(a->env->control, &m, -1))
		log_debug("the supervisor does not listen");
	tell_status(a);
	return err;
}

static void note_restarts(struct agent *a, const struct restart_losses *l)
{
	struct quality q = {
		.restarts = l->restarts,
		.windows_lost = l->windows_lost,
		.unsampled_ms = l->unsampled_ms,
	};

	quality_add(&a->lost, &q);
}

static int take_message(struct agent *a, const struct control_msg *m, int *fd)
{
	switch ((enum control_kind)m->kind) {
	case CONTROL_CHANNEL:
		outbox_connect(a->outbox, steal_fd(fd));
		return 0;
	case CONTROL_FILES:
		offers_take(&a->offers, steal_fd(fd), a->collector, a->config);
		return 0;
	case CONTROL_CONFIG:
		return a->ends ? 0 : reload(a, *fd);
	case CONTROL_LOSSES:
		note_restarts(a, &m->losses);
		return 0;
	case CONTROL_END:
		a->ends = true;
		return 0;
	default:
		return 0;
	}
}

static int listen_to_supervisor(struct agent *a)
{
	int err = 0, r = 1;

	while (!err && r > 0) {
		_cleanup_close_ int fd = -1;
		struct control_msg m;

		r = control_recv(a->env->control, &m, &fd);
		if (r > 0)
			err = take_message(a, &m, &fd);
		if (r == -ECONNRESET)
			a->ends = true;
	}
	return err;
}

/* --- its own cost ------------------------------------------------------------------------------ */

/* One window has one frequency: it ends when that changes. */
static void govern(struct agent *a, uint64_t now_ns)
{
	bool was_over = a->governor.is_over, changed;
	uint64_t cost_ns;

	if (now_ns - a->governor.look_ns < a->governor.every_ns)
		return;
	cost_ns = self_cost_ns(&a->cost, collector_sampler(a->collector), now_ns);
	cost_report_count(&a->cost, cost_ns, a->env->metrics);
	changed = governor_look(&a->governor, now_ns, cost_ns);
	cost_report_say(&a->governor, &a->cost, changed, was_over);
	if (!changed)
		return;
	collector_set_frequency(a->collector, a->governor.hz);
	end_window(a, false, WINDOW_ENDS, 0);
}

/* --- the loop ---------------------------------------------------------------------------------- */

static int turn(struct agent *a)
{
	struct clock_reading now;
	uint64_t wait_ns;
	int err;

	clock_reading_get(&now);
	wait_ns = min_u64(min_u64(TURN_NS, a->governor.every_ns),
			  window_clock_left_ns(&a->clock, &now));
	wait_ns = min_u64(wait_ns, a->env->beat_ns);
	err = collector_turn(a->collector, (int)((wait_ns + 999999) / 1000000));
	a->failed_turns = err ? a->failed_turns + 1 : 0;
	if (!err)
		return 0;
	log_warning("reading samples failed: %s", strerror(-err));
	return a->failed_turns < TURN_PATIENCE ? 0 : err;
}

static void look_at_clock(struct agent *a)
{
	struct clock_reading now;
	enum window_event event;
	int64_t jump_ns;

	clock_reading_get(&now);
	role_beat(a->env, now.mono_ns);
	look_at_outbox(a);
	event = window_clock_look(&a->clock, &now, &jump_ns);
	say_jump(event, jump_ns);
	if (event != WINDOW_GOES_ON) {
		end_window(a, false, event, jump_ns);
	} else if (collector_wants_window(a->collector)) {
		int err = window_parts_take(&a->parts, a->collector, false, 0);

		/* It has no room for more, or there is no memory: what is there is stored. */
		if (err)
			end_window(a, false, WINDOW_ENDS, 0);
	}
	govern(a, now.mono_ns);
}

/* New files would have no names for ever. Not at once, as it may be killed again. */
static int replace_spawners(struct agent *a)
{
	if (spawners_gone() == a->gone || monotonic_ns() - a->collector_ns < SPAWNERS_LEAST_NS)
		return 0;
	log_warning("beginning anew, with other processes");
	return restart_collector(a);
}

static int go_on(struct agent *a)
{
	int err = 0;

	while (!err) {
		err = listen_to_supervisor(a);
		if (a->ends)
			break;
		err = err ?: turn(a);
		if (!err)
			look_at_clock(a);
		err = err ?: replace_spawners(a);
	}
	return err;
}

static void say_start(const struct agent *a)
{
	const struct config *c = a->config;
	size_t cpus = collector_cpus(a->collector);
	char window[32];

	log_info("sampling %zu CPU%s at %" PRIu64 " Hz by %s, one profile every %s to %s", cpus,
		 text_s(cpus), c->frequency_hz, collector_event(a->collector),
		 quantity_format_duration(c->window_ns, window, sizeof(window)), c->store_path);
	if (c->n_files || a->env->is_restart)
		return;
	log_info("there is no %s: these are the defaults, and kiln.yaml(5) tells of others",
		 CONFIG_DEFAULT_PATH);
	if (config_listen_is_off(c->http_listen))
		log_info("after %s, try: kiln report %s --since 5m", window, c->store_path);
	else
		log_info("after %s, try: kiln report %s --since 5m, or look at http://%s/", window,
			 c->store_path, c->http_listen);
}

static void start_governor(struct agent *a)
{
	const char *test = getenv("KILN_TEST_GOVERNOR_MS");
	uint64_t now_ns = monotonic_ns(), ms;

	self_cost_init(&a->cost, getppid(), now_ns);
	governor_init(&a->governor, a->config->cpu_ppm, collector_cpus(a->collector),
		      a->config->frequency_hz, now_ns,
		      self_cost_ns(&a->cost, collector_sampler(a->collector), now_ns));
	if (test && !text_parse_u64(test, 60000, &ms))
		a->governor.every_ns = ms * 1000000;
}

static int start(struct agent *a)
{
	const char *why;
	int err = start_collector(a, &why);

	if (err) {
		log_error("%s", why);
		return err;
	}
	err = labels_new(&a->labels, a->config, "");
	if (err)
		return err;
	start_governor(a);
	begin_window(a);
	say_start(a);
	role_ready(a->env);
	tell_status(a);
	return 0;
}

/* The supervisor says the sums: there may have been samplers before this one. */
static void say_end(struct agent *a)
{
	struct outbox_counts n;

	outbox_counts(a->outbox, &n);
	log_set_limit(0);
	if (n.waiting)
		log_warning("%" PRIu64 " window%s lost: the store writer has not answered",
			    n.waiting, text_s(n.waiting));
	n.lost += n.waiting;
	send_status(a, &n);
}

/* What was taken so far is stored, perhaps by a writer that starts just now. */
static int flush(struct agent *a)
{
	uint64_t until_ns = monotonic_ns() + FLUSH_NS, now_ns = 0;
	int err = -ETIMEDOUT;

	collector_stop(a->collector);
	end_window(a, true, WINDOW_ENDS, 0);
	while (err == -ETIMEDOUT && now_ns < until_ns) {
		now_ns = monotonic_ns();
		err = outbox_flush(a->outbox, min_u64(now_ns + FLUSH_TURN_NS, until_ns));
		listen_to_supervisor(a);
	}
	say_end(a);
	return err;
}

static void agent_release(struct agent *a)
{
	collector_close(a->collector);
	outbox_free(a->outbox);
	offers_release(&a->offers);
	window_parts_release(&a->parts);
	self_cost_release(&a->cost);
	labels_free(a->labels);
	user_labels_free(&a->user_labels);
	config_free(a->config);
}

static int new_outbox(struct agent *a)
{
	const char *test = getenv("KILN_TEST_OUTBOX");
	uint64_t n = 0;

	if (test && text_parse_u64(test, OUTBOX_WINDOWS_MAX, &n))
		n = 0;
	return outbox_new(&a->outbox, n);
}

int agent_run(struct role_env *env)
{
	struct agent a = {
		.env = env, .config = env->config, .cost.run_time_fd = -1, .offers = OFFERS_NONE};
	int err = role_let_control_wake(env) ?: new_outbox(&a) ?: start(&a) ?: go_on(&a);

	if (a.ends)
		err = flush(&a);
	agent_release(&a);
	return err;
}
