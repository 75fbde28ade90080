// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/record/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/profile/profile.h"
#include "profiler/record/merged.h"
#include "profiler/record/table_builder.h"
#include "symbolizer/symbolizer.h"

/* Longest time between two reads of the rings: 4 MB hold 2 s at 9,999 Hz. */
#define TURN_MS	     50
#define PROGRESS_NS  200000000ull
#define COLLECT_NICE (-10)
/* Then kiln says what it waits for. */
#define PATIENCE_MS 1000
/* Processes to look at that a command has left. Few leave more than one. */
#define LEFT_MAX 256

/* Signals that asked to stop, so far. */
static volatile sig_atomic_t stop_requests;

struct session {
	const struct session_opts *opts;
	struct collector *collector;
	struct merged merged;
	struct session_result *result;
	pid_t missing_pid;
	bool is_full; /* the profile has no room for more, or something failed */
	bool told_of_folding;
	uint64_t progress_ns;
};

static void on_signal(int sig)
{
	(void)sig;
	stop_requests++;
}

/* One ^C may come as several signals: of a terminal, a shell, timeout(1). Those of the first second are one. */
#define SAME_STOP_NS 1000000000ull

/* The naming after sampling. */
static struct {
	uint64_t begun_ns;
	sig_atomic_t stops; /* stop_requests that ended sampling, or came soon after */
	bool given_up;
} naming;

static bool gives_up_naming(void)
{
	if (boottime_ns() - naming.begun_ns < SAME_STOP_NS)
		naming.stops = stop_requests;
	if (stop_requests != naming.stops && !naming.given_up) {
		naming.given_up = true;
		log_warning("the names that are not made yet are left out");
	}
	return naming.given_up;
}

static uint64_t own_cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ull +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ull;
}

/* --- opening ----------------------------------------------------------------------------------- */

/* Of a list of processes some may have ended by now: they are left out, unless none is left. */
static int watch_those_there(struct session *s, const char **why)
{
	size_t missing = 0;
	int err = 0;

	for (size_t i = 0; i < s->opts->n_tgids && !err; i++) {
		err = collector_watch(s->collector, s->opts->tgids[i], why);
		if (err != -ESRCH)
			continue;
		s->missing_pid = s->opts->tgids[i];
		if (++missing == s->opts->n_tgids)
			return err;
		log_warning("-p %d: %s; left out", (int)s->missing_pid, *why);
		err = 0;
	}
	return err;
}

/* Checks that the processes of -p exist, and reads their mappings. */
static int watch_targets(struct session *s, const char **why)
{
	int err = watch_those_there(s, why);

	for (size_t i = 0; i < s->opts->n_tgids && !err && !s->opts->everything; i++)
		err = collector_scan(s->collector, s->opts->tgids[i], why);
	return err;
}

static int open_all(struct session *s, const char **why)
{
	const struct session_opts *o = s->opts;
	bool targets = !o->everything && (o->n_tgids || o->argv);
	struct collector_opts opts = {
		.sampler = o->sampler,
		.scope = targets ? COLLECT_TARGETS : COLLECT_ALL,
		.user_labels = o->user_labels,
		.names_only = o->names_only,
		.no_sandbox = o->no_sandbox,
		.debuginfod = o->debuginfod,
		.sheds_privileges = o->sheds_privileges,
		.waits_for_names = true,
		.gives_up = gives_up_naming,
	};
	int err = collector_open(&s->collector, &opts, why) ?: watch_targets(s, why);

	if (err)
		return err;
	/* A launched command reports all its mappings by events. */
	return targets ? 0 : collector_scan(s->collector, 0, why);
}

/* --- recording --------------------------------------------------------------------------------- */

static void show_progress(struct session *s, bool last)
{
	uint64_t now = boottime_ns();
	struct collector_progress p;

	if (!s->opts->progress || (!last && now - s->progress_ns < PROGRESS_NS))
		return;
	s->progress_ns = now;
	collector_progress(s->collector, &p);
	s->opts->progress(s->opts->ctx, &p);
}

static bool is_over(struct session *s)
{
	uint64_t elapsed = boottime_ns() - collector_start_ns(s->collector);

	return stop_requests || s->is_full ||
	       (s->opts->duration_ns && elapsed >= s->opts->duration_ns) ||
	       launch_poll(&s->result->child) || collector_targets_gone(s->collector);
}

static int time_left_ms(uint64_t until_ns)
{
	uint64_t now = boottime_ns();

	if (until_ns <= now)
		return 0;
	return until_ns - now > TURN_MS * 1000000ull ? TURN_MS : (int)((until_ns - now) / 1000000);
}

/* Not of thread ids and lines: few miss them. */
static void tell_of_folding(struct session *s)
{
	if (s->merged.callers_folded && !s->told_of_folding)
		log_info("a larger --max-memory keeps the callers of rare stacks");
	s->told_of_folding |= s->merged.callers_folded > 0;
}

/* Ends a window only when necessary: most names are known at the end. */
static int end_window(struct session *s, bool last)
{
	struct named_window w;
	int err = collector_end_window(s->collector, last, &w) ?: merged_add(&s->merged, &w);

	tell_of_folding(s);
	if (!err)
		return 0;
	if (err == -ENOSPC && !s->is_full) /* the last window is merged even then */
		log_warning("the profile has reached its limit of %zu MB: the recording ends here; "
			    "--max-memory raises it",
			    s->merged.max_bytes >> 20);
	else if (err != -ENOSPC)
		log_warning("%s could not be named (%s) and %s not in the profile",
			    last ? "the last samples"
				 : "a window of samples, where the recording ends,",
			    strerror(-err), last ? "are" : "is");
	s->is_full = true;
	return err == -ENOSPC || s->merged.profile ? 0 : err;
}

static int turn(struct session *s, int wait_ms)
{
	int err = collector_turn(s->collector, wait_ms);

	if (!err && collector_wants_window(s->collector))
		err = end_window(s, false);
	show_progress(s, false);
	return err;
}

/* What fails here ends the recording, and what was recorded is kept. */
static void collect(struct session *s)
{
	uint64_t end_ns = s->opts->duration_ns
				  ? collector_start_ns(s->collector) + s->opts->duration_ns
				  : UINT64_MAX;
	int err = 0;

	while (!err && !is_over(s))
		err = turn(s, time_left_ms(end_ns));
	if (err)
		log_warning("reading samples failed, and the recording ends here: %s",
			    strerror(-err));
}

/* Waits for --delay to pass, and follows processes meanwhile. */
static int wait_delay(struct session *s)
{
	uint64_t until = boottime_ns() + s->opts->delay_ns;
	int err = 0;

	while (!err && !stop_requests && boottime_ns() < until && !launch_poll(&s->result->child))
		err = collector_turn(s->collector, time_left_ms(until) ?: 1);
	return err;
}

/* Sampling goes on while the command's program is opened, which may take for ever. */
static int let_child_go(struct session *s, struct session_result *r, bool early, const char **why)
{
	bool over;
	int err;

	*why = "stopped before the command began";
	if (stop_requests)
		return -ECANCELED;
	do {
		over = early ? stop_requests != 0 : is_over(s);
		err = launch_go(&r->child, TURN_MS);
	} while (err == -EAGAIN && !over &&
		 !(early ? collector_turn(s->collector, 0) : turn(s, 0)));
	if (!err || err == -EAGAIN)
		return 0;
	*why = err == -ENOENT ? "command not found" : strerror(-err);
	r->exit_code = err == -ENOENT ? 127 : 126;
	return -ENOEXEC;
}

/* First of all: the command has the privileges that kiln was started with. */
static int prepare_child(struct session *s, const char **why)
{
	*why = "cannot fork";
	return s->opts->argv ? launch_prepare(&s->result->child, s->opts->argv, &s->result->was)
			     : 0;
}

static int let_go(struct session *s, struct session_result *r, bool early, const char **why)
{
	int err = s->opts->argv ? let_child_go(s, r, early, why) : 0;

	if (!err && s->opts->started)
		s->opts->started(s->opts->ctx);
	return err;
}

/* The command waits at its gate until sampling is on. With --delay it runs before. */
static int begin(struct session *s, struct session_result *r, const char **why)
{
	bool early = s->opts->delay_ns != 0;
	int err = 0;

	if (s->opts->argv && !s->opts->everything)
		err = collector_add(s->collector, s->result->child.pid, why);
	if (!err && early)
		err = let_go(s, r, early, why) ?: wait_delay(s);
	err = err ?: collector_start(s->collector, why);
	return err ?: early ? 0 : let_go(s, r, early, why);
}

/* All of a command's CPU time is known when it has ended, if it was recorded from its start. */
static void tell_used(struct session *s)
{
	const struct launch *l = &s->result->child;

	if (s->opts->argv && !s->opts->everything && !s->opts->delay_ns && l->exited)
		collector_used(s->collector, launch_cpu_ns(l));
}

/* A command that makes a daemon ends at once, and the recording with it. */
static void find_left(struct session *s, struct session_result *r)
{
	pid_t tgids[LEFT_MAX];

	if (s->opts->argv && !s->opts->everything && launch_poll(&r->child))
		children_add_alive(&r->left, tgids,
				   collector_targets(s->collector, tgids, LEFT_MAX));
}

/* From the start of the command to the last window. */
static int record(struct session *s, struct session_result *r, const char **why)
{
	int err = begin(s, r, why), nice;
	uint64_t stopped_ns;

	if (err)
		return err;
	*why = "naming samples failed";
	r->own_cpu_ns = own_cpu_ns();
	r->cpus = collector_cpus(s->collector);
	/* The rings fill while kiln waits for a CPU. It needs one for a hundredth of the time. */
	nice = getpriority(PRIO_PROCESS, 0);
	setpriority(PRIO_PROCESS, 0, COLLECT_NICE < nice ? COLLECT_NICE : nice);
	if (!s->opts->everything)
		children_find(&r->busy, s->opts->tgids, s->opts->n_tgids);
	collect(s);
	children_busiest(&r->busy);
	setpriority(PRIO_PROCESS, 0, nice);
	collector_stop(s->collector);
	tell_used(s);
	stopped_ns = boottime_ns();
	r->own_cpu_ns = own_cpu_ns() - r->own_cpu_ns;
	r->elapsed_ns = stopped_ns - collector_start_ns(s->collector);
	show_progress(s, true);
	naming.begun_ns = stopped_ns;
	naming.stops = stop_requests;
	err = end_window(s, true);
	r->naming_ns = boottime_ns() - stopped_ns;
	find_left(s, r); /* late: those that were about to end have ended */
	return err;
}

static int run(struct session *s, struct session_result *r, struct quality *q, const char **why)
{
	int err = prepare_child(s, why) ?: open_all(s, why) ?: record(s, r, why);

	if (err)
		return err;
	r->event = collector_event(s->collector);
	if (merged_finish(&s->merged))
		log_warning("out of memory: the profile lacks its counters");
	r->profile = steal_ptr(s->merged.profile);
	r->profile->duration_ns = (int64_t)r->elapsed_ns;
	*q = s->merged.quality;
	s->merged.quality = (struct quality){0};
	r->symbolizer = collector_take_symbolizer(s->collector);
	return 0;
}

/* --- the end ----------------------------------------------------------------------------------- */

int session_end_command(struct session_result *r)
{
	struct launch *l = &r->child;
	sig_atomic_t before = stop_requests;

	launch_ask_to_end(l);
	for (int ms = 0; l->pid && !launch_poll(l); ms += 10) {
		if (stop_requests != before) {
			log_info("the command (pid %d) runs on", (int)l->pid);
			return 128 + SIGINT;
		}
		if (ms == PATIENCE_MS)
			log_info(
				"waiting for the command (pid %d), which got SIGTERM; ^C leaves it "
				"running",
				(int)l->pid);
		usleep(10000);
	}
	return launch_exit_code(l);
}

void session_result_release(struct session_result *r)
{
	table_builder_start(r->symbolizer);
	inherited_restore(&r->was);
	symbolizer_free(r->symbolizer);
	profile_free(r->profile);
	children_release(&r->left);
	children_release(&r->busy);
	*r = (struct session_result){0};
}

int session_run(const struct session_opts *opts, struct session_result *result, struct quality *q,
		const char **why)
{
	struct session s = {
		.opts = opts,
		.result = result,
		.merged.max_bytes = opts->max_bytes ?: MERGED_MAX_BYTES,
	};
	int err;

	*result = (struct session_result){.launched = opts->argv != NULL,
					  .child = {.gate_fd = -1, .exec_fd = -1}};
	stop_requests = 0;
	naming.given_up = false;
	inherited_take(&result->was, on_signal);
	err = run(&s, result, q, why);
	result->missing_pid = s.missing_pid;
	if (result->child.gate_fd >= 0) /* it was never let go */
		launch_ask_to_end(&result->child);
	collector_close(s.collector);
	merged_release(&s.merged);
	return err;
}
