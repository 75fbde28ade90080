// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cache_dir.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/debuginfod/debuginfod.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/files/files.h"
#include "profiler/procs/ksyms.h"
#include "profiler/files/stall_guard.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/procs/sideband.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/collect/aggregate.h"
#include "profiler/record/launch.h"
#include "profiler/collect/losses.h"
#include "profiler/naming/naming.h"
#include "profiler/collect/prefetch.h"
#include "profiler/collect/readers.h"
#include "profiler/record/session.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/record/table_builder.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/unwind/unwind_feed.h"
#include "profiler/unwind/walk_report.h"
#include "profiler/sampler/drain.h"
#include "symbolizer/symbolizer.h"

#define POLL_MS		 50 /* how often the rings are looked at: 4 MB hold 2 s at 9,999 Hz */
#define PROGRESS_NS	 200000000ull
#define COLLECT_NICE	 (-10)
#define OPENER_SETTLE_MS 2000
#define CHILD_GRACE_MS	 2000
/* At the end nobody waits for a server. */
#define DEBUGINFOD_SETTLE_NS 300000000ull
/* ... and while samples wait for unwind tables; and no more often, whatever wakes it up. */
#define BUSY_POLL_MS 10
/* At the end of a window its samples wait so long for tables: the rings fill meanwhile; but for the
 * last one, when nothing is sampled any more. */
/* How long processes are looked into again in one turn, and before a window is named. */
#define RESCAN_NS	 5000000ull
#define RESCAN_LAST_NS	 100000000ull
#define LAST_TABLES_MS	 2000
#define WINDOW_TABLES_MS 100
/* Sampling does not start before what runs has its unwind tables, or this time is over. */
#define FIRST_TABLES_MS 100

enum { WATCH_SIDEBAND, WATCH_RAW, WATCH_TARGETS };

static volatile sig_atomic_t stop_requested;

struct session {
	const struct session_opts *opts;
	struct sampler *sampler;
	struct drain *drain;
	struct files *files;
	struct procs *procs;
	struct ksyms *ksyms;
	struct sideband *sideband;
	struct rescan *rescan;
	struct reported_mappings *reported; /* NULL: mappings come as events */
	struct unwind_feed *feed;	    /* NULL: user stacks by frame pointers */
	struct raw_walk *raw_walk;
	struct cgroups *cgroups;
	struct readers readers;
	struct prefetch *prefetch; /* NULL: no debuginfod */
	struct aggregate aggregate;
	struct launch child;
	pid_t missing_pid;
	/* [WATCH_SIDEBAND], [WATCH_RAW], then a pidfd per -p process */
	VEC(struct pollfd) watched;
	bool filtered;
	uint64_t open_ns; /* when it all began */
	uint64_t start_ns, window_start_ns, progress_ns;
	uint64_t turn_ns; /* when the rings were last looked at */
	int64_t start_unix_ns;
	unsigned stall_ms; /* tests: a drain that comes late */
};

static void on_signal(int sig)
{
	(void)sig;
	stop_requested = 1;
}

static uint64_t own_cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ull +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ull;
}

/* The processes of -p must be there; their end is watched through pidfds (pidfd_open(2)). */
static int watch_targets(struct session *s, const char **why)
{
	struct pollfd p = {.fd = sideband_fd(s->sideband), .events = POLLIN};
	int err = vec_push(&s->watched, p);

	p.fd = drain_fd(s->drain);
	err = err ?: vec_push(&s->watched, p);

	for (size_t i = 0; i < s->opts->n_tgids && !err; i++) {
		pid_t tgid = s->opts->tgids[i];

		p.fd = (int)syscall(SYS_pidfd_open, tgid, 0);
		if (p.fd < 0) {
			*why = errno == EINVAL ? "a thread of another process; -p wants processes"
					       : "no such process";
			s->missing_pid = tgid;
			return -ESRCH;
		}
		err = vec_push(&s->watched, p) ?: sampler_add_target(s->sampler, tgid);
	}
	return err;
}

static bool targets_gone(const struct session *s)
{
	for (size_t i = WATCH_TARGETS; i < s->watched.len; i++)
		if (!(s->watched.data[i].revents & POLLIN))
			return false;
	return s->watched.len > WATCH_TARGETS;
}

/* Mapping tables of what runs already. A launched command needs none: all of it comes as events. */
static int scan_running(struct session *s)
{
	int err = 0;

	if (s->opts->everything || (!s->opts->argv && !s->opts->n_tgids))
		return procs_scan(s->procs, 0, boottime_ns());
	if (s->opts->argv)
		return procs_scan(s->procs, getpid(), boottime_ns());
	for (size_t i = 0; i < s->opts->n_tgids && !err; i++)
		err = procs_scan(s->procs, s->opts->tgids[i], boottime_ns());
	return err == -ESRCH ? 0 : err;
}

static int open_all(struct session *s, const char **why)
{
	struct sampler_opts sampler = s->opts->sampler;
	struct sideband_opts sideband = {0};
	struct procs_opts procs = {0};
	char path[PATH_MAX];
	int err;

	sampler.filter_tgids = !s->opts->everything && (s->opts->n_tgids || s->opts->argv);
	s->filtered = sampler.filter_tgids || sampler.comm_glob ||
		      (sampler.cgroups && sampler.cgroups[0]);
	*why = "cannot lock up the process that reads foreign files; --no-sandbox does without";
	err = readers_open(&s->readers, s->opts) ?: sampler_load(&s->sampler, &sampler, why);
	if (err)
		return err;
	log_debug("BPF programs loaded after %llu ms", (boottime_ns() - s->open_ns) / 1000000ull);
	*why = "out of memory";
	err = drain_new(&s->drain, s->sampler) ?: files_new(&s->files, NULL) ?:
	      ksyms_new(&s->ksyms);
	if (err)
		return err;
	if (s->opts->debuginfod) {
		err = prefetch_new(&s->prefetch, s->opts->debuginfod, s->files);
		if (err)
			return err;
	}
	procs.files = sideband.files = s->files;
	if (sampler_uses_tables(s->sampler)) {
		err = unwind_feed_new(&s->feed, s->sampler, s->files, s->readers.compiler,
				      cache_dir_path("unwind", path, sizeof(path)));
		procs.changed = unwind_feed_changed;
		procs.changed_ctx = s->feed;
	}
	err = err ?: procs_new(&s->procs, &procs) ?: rescan_new(&s->rescan, s->procs);
	if (!err && sampler_reports_mappings(s->sampler))
		err = reported_mappings_new(&s->reported, s->sampler, s->procs, s->files,
					    s->rescan);
	if (!err && s->feed)
		err = raw_walk_new(&s->raw_walk, s->procs, s->files, s->feed, s->rescan,
				   s->readers.walker);
	if (err)
		return err;
	sideband.procs = s->procs;
	sideband.ksyms = s->ksyms;
	sideband.no_mappings = s->reported || !s->opts->sampler.user;
	*why = "cannot follow mappings (perf_event_open of a dummy event): `kiln doctor` says more";
	err = sideband_open(&s->sideband, &sideband);
	if (err)
		return err;
	if (!sideband_has_ksymbols(s->sideband))
		log_info("BPF programs that end while this records stay unnamed: Linux before 5.1 "
			 "does not tell of them");
	if (cgroups_new(&s->cgroups))
		s->cgroups = NULL; /* no cgroup file system: no such labels */
	err = watch_targets(s, why);
	if (err)
		return err;
	*why = "cannot read /proc";
	return scan_running(s);
}

static void show_progress(struct session *s, bool last)
{
	uint64_t now = boottime_ns();
	struct sampler_totals t;
	struct session_progress p;

	if (!s->opts->progress || (!last && now - s->progress_ns < PROGRESS_NS))
		return;
	s->progress_ns = now;
	if (sampler_totals(s->sampler, &t))
		return;
	p.elapsed_ns = now - s->start_ns;
	p.samples = t.counters[KILN_CTR_recorded];
	p.lost = t.counters[KILN_CTR_map_full] + t.counters[KILN_CTR_update_failed];
	s->opts->progress(s->opts->progress_ctx, &p);
}

/* cgroups are asked for their names while they exist. */
static void remember_cgroups(struct session *s, size_t from)
{
	struct cgroup_names names;

	for (size_t i = from; s->cgroups && i < s->aggregate.cgroups.len; i++)
		cgroups_names(s->cgroups, s->aggregate.cgroups.data[i], &names);
}

/* Applies the events up to now and what samples told of mappings, and looks into /proc where that is not
 * all. */
static int follow_mappings(struct session *s, uint64_t budget_ns)
{
	int err = sideband_poll(s->sideband, 0);
	uint64_t from_ns;

	if (sideband_take_loss(s->sideband, &from_ns))
		rescan_want_all(s->rescan, from_ns);
	if (s->reported)
		reported_mappings_run(s->reported, s->drain);
	rescan_run(s->rescan, budget_ns);
	return err;
}

/* Walks what the kernel half left of a window, waiting a while for tables on their way. */
static void walk_left(struct session *s, const struct window *w, int wait_ms)
{
	uint64_t until = boottime_ns() + (uint64_t)wait_ms * 1000000ull;

	if (!s->raw_walk)
		return;
	for (;;) {
		follow_mappings(s, RESCAN_NS);
		unwind_feed_run(s->feed, s->procs);
		raw_walk_run(s->raw_walk, s->drain);
		if (!raw_walk_waits(s->raw_walk) || boottime_ns() >= until)
			break;
		usleep(BUSY_POLL_MS * 1000);
	}
	raw_walk_finish(s->raw_walk, w);
}

static int end_window(struct session *s, bool last)
{
	size_t n_cgroups = s->aggregate.cgroups.len;
	struct window *w;
	int err = drain_window(s->drain, &w);

	if (err)
		return err;
	/* Everything that was mapped before the last sample is in the table before it is asked. */
	err = follow_mappings(s, RESCAN_LAST_NS);
	if (err)
		log_debug("reading mapping events: %s", strerror(-err));
	walk_left(s, w, last ? LAST_TABLES_MS : WINDOW_TABLES_MS);
	aggregate_window(&s->aggregate, w, s->procs, s->ksyms);
	window_free(w);
	if (s->prefetch)
		prefetch_run(s->prefetch, &s->aggregate);
	remember_cgroups(s, n_cgroups);
	procs_expire(s->procs, boottime_ns());
	ksyms_expire(s->ksyms, s->window_start_ns);
	s->window_start_ns = boottime_ns();
	return 0;
}

static bool is_over(struct session *s)
{
	uint64_t elapsed = boottime_ns() - s->start_ns;

	return stop_requested || (s->opts->duration_ns && elapsed >= s->opts->duration_ns) ||
	       launch_poll(&s->child) || targets_gone(s);
}

static int poll_timeout_ms(const struct session *s)
{
	uint64_t now = boottime_ns(), end = s->start_ns + s->opts->duration_ns;
	int ms = s->raw_walk && raw_walk_waits(s->raw_walk) ? BUSY_POLL_MS : POLL_MS;

	if (!s->opts->duration_ns || end > now + (uint64_t)ms * 1000000ull)
		return ms;
	return end > now ? (int)((end - now) / 1000000) : 0;
}

/* Empties the ring of stacks, then follows what was mapped up to then: the kernel half is told of it,
 * and what has to be walked here is walked while the table knows it. */
static int take_stacks(struct session *s)
{
	int err = drain_stacks(s->drain) ?: follow_mappings(s, RESCAN_NS);

	if (!s->feed || err)
		return err;
	unwind_feed_run(s->feed, s->procs);
	raw_walk_run(s->raw_walk, s->drain);
	return 0;
}

/* A turn of the test that takes no stacks until the window ends. */
static int stall(struct session *s)
{
	usleep(s->stall_ms * 1000);
	return follow_mappings(s, RESCAN_NS);
}

/*
 * Sleeps until there may be something to do. Samples that the kernel half could not walk end it early,
 * so that it is told of new programs before they are sampled often.
 */
static void wait_for_turn(struct session *s)
{
	const uint64_t least = BUSY_POLL_MS * 1000000ull;
	int n = poll(s->watched.data, s->watched.len, poll_timeout_ms(s));
	uint64_t since = boottime_ns() - s->turn_ns;

	if (n > 0 && s->watched.data[WATCH_RAW].revents && since < least)
		usleep((useconds_t)((least - since) / 1000));
	s->turn_ns = boottime_ns();
}

static int collect(struct session *s)
{
	int err = 0;

	while (!err && !is_over(s)) {
		wait_for_turn(s);
		err = sampler_follow_cpus(s->sampler);
		sideband_update_cpus(s->sideband);
		if (!err)
			err = s->stall_ms ? stall(s) : take_stacks(s);
		if (!err && boottime_ns() - s->window_start_ns >= s->opts->sampler.window_ns)
			err = end_window(s, false);
		show_progress(s, false);
	}
	return err;
}

/* Waits the --delay out; mapping events are followed meanwhile. */
static int wait_delay(struct session *s)
{
	uint64_t until = boottime_ns() + s->opts->delay_ns;
	int err = 0;

	while (!err && !stop_requested && boottime_ns() < until && !launch_poll(&s->child)) {
		uint64_t left_ms = (until - boottime_ns()) / 1000000 + 1;

		poll(s->watched.data, 1, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
		err = sideband_poll(s->sideband, 0);
	}
	return err;
}

static int64_t unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int begin_sampling(struct session *s, const char **why)
{
	int err;

	if (s->feed)
		unwind_feed_settle(s->feed, s->procs, FIRST_TABLES_MS);
	err = sampler_start(s->sampler, why);
	s->start_ns = s->window_start_ns = boottime_ns();
	s->start_unix_ns = unix_ns();
	log_debug("sampling after %llu ms", (s->start_ns - s->open_ns) / 1000000ull);
	return err;
}

static int let_child_go(struct session *s, struct session_result *r, const char **why)
{
	int err = launch_go(&s->child);

	if (!err)
		return 0;
	*why = err == -ENOENT ? "command not found" : strerror(-err);
	r->exit_code = err == -ENOENT ? 127 : 126;
	return -ENOEXEC;
}

/* From the fork of the command to the last window. */
static int record(struct session *s, struct session_result *r, const char **why)
{
	int err = 0, nice;

	if (s->opts->argv) {
		*why = "cannot fork";
		err = launch_prepare(&s->child, s->opts->argv);
		if (!err && !s->opts->everything)
			err = sampler_add_target(s->sampler, s->child.pid);
	}
	if (err)
		return err;
	if (s->opts->delay_ns) {
		err = s->opts->argv ? let_child_go(s, r, why) : 0;
		err = err ?: wait_delay(s) ?: begin_sampling(s, why);
	} else {
		err = begin_sampling(s, why);
		if (!err && s->opts->argv)
			err = let_child_go(s, r, why);
	}
	if (err)
		return err;
	*why = "reading samples failed";
	r->own_cpu_ns = own_cpu_ns();
	r->cpus = sampler_cpu_count(s->sampler);
	/* The rings fill while it waits for a CPU; it wants one for a hundredth of the time. */
	nice = getpriority(PRIO_PROCESS, 0);
	setpriority(PRIO_PROCESS, 0, COLLECT_NICE < nice ? COLLECT_NICE : nice);
	err = collect(s);
	setpriority(PRIO_PROCESS, 0, nice);
	sampler_stop(s->sampler);
	r->own_cpu_ns = own_cpu_ns() - r->own_cpu_ns;
	r->elapsed_ns = boottime_ns() - s->start_ns;
	show_progress(s, true);
	return err ?: end_window(s, true);
}

static int add_facts(struct session *s, struct profile *p)
{
	struct utsname u = {0};
	struct buf b = {0};
	int err;

	uname(&u);
	buf_printf(&b, "kiln.event=%s", sampler_event_name(s->sampler));
	err = profile_comment(p, buf_cstr(&b));
	buf_clear(&b);
	buf_printf(&b, "kiln.freq_hz=%llu", (unsigned long long)s->opts->sampler.freq_hz);
	err = err ?: profile_comment(p, buf_cstr(&b));
	buf_clear(&b);
	buf_printf(&b, "kiln.kernel=%s %s", u.release, u.machine);
	err = err ?: profile_comment(p, buf_cstr(&b));
	buf_release(&b);
	return err;
}

static int build_profile(struct session *s, struct profile *p, struct quality *q)
{
	struct symbolizer_stats named;
	struct stall_guard guard = {0};
	struct naming naming = {
		.guard = &guard,
		.symbolizer = s->readers.symbolizer,
		.files = s->files,
		.ksyms = s->ksyms,
		.feed = s->feed,
		.cgroups = s->cgroups,
		.user_labels = s->opts->user_labels,
		.period_ns = sampler_period_ns(s->sampler),
		.names_only = s->opts->names_only,
	};
	struct sampler_totals totals;
	int err = sampler_totals(s->sampler, &totals);

	if (err)
		return err;
	losses_count(q, &totals, &s->aggregate, s->sideband);
	walk_report(q, &totals, s->feed, s->raw_walk, s->rescan, s->reported);
	files_settle(s->files, OPENER_SETTLE_MS);
	if (s->opts->debuginfod) /* what is in its cache is there at once */
		debuginfod_settle(s->opts->debuginfod, DEBUGINFOD_SETTLE_NS, NULL, NULL);
	err = profile_init_cpu(p, naming.period_ns) ?: naming_run(&naming, &s->aggregate, p, q);
	stall_guard_release(&guard);
	if (!s->feed)
		q->walked_fp = q->user_complete + q->user_truncated;
	symbolizer_stats(s->readers.symbolizer, &named);
	q->files_failed = named.files_failed;
	return err ?: losses_add(p, q, naming.period_ns, s->filtered) ?: quality_store(p, q) ?: add_facts(s, p);
}

static void close_all(struct session *s)
{
	launch_stop(&s->child, CHILD_GRACE_MS);
	for (size_t i = WATCH_TARGETS; i < s->watched.len; i++)
		close(s->watched.data[i].fd);
	vec_release(&s->watched);
	aggregate_release(&s->aggregate);
	cgroups_free(s->cgroups);
	sideband_close(s->sideband);
	raw_walk_free(s->raw_walk);
	reported_mappings_free(s->reported);
	rescan_free(s->rescan);
	procs_free(s->procs);
	ksyms_free(s->ksyms);
	unwind_feed_free(s->feed);
	files_free(s->files);
	drain_free(s->drain);
	sampler_free(s->sampler);
	readers_close(&s->readers);
	prefetch_free(s->prefetch);
}

static int run(struct session *s, struct session_result *r, struct quality *q, const char **why)
{
	uint64_t sampled_ns;
	struct profile *p;
	int err = open_all(s, why) ?: record(s, r, why);

	if (err)
		return err;
	sampled_ns = boottime_ns();
	r->event = sampler_event_name(s->sampler);
	*why = "out of memory while naming what was sampled";
	p = profile_new();
	err = p ? build_profile(s, p, q) : -ENOMEM;
	if (err) {
		profile_free(p);
		return err;
	}
	p->time_ns = s->start_unix_ns;
	p->duration_ns = (int64_t)r->elapsed_ns;
	r->profile = p;
	r->naming_ns = boottime_ns() - sampled_ns;
	r->symbolizer = steal_ptr(s->readers.symbolizer);
	return 0;
}

void session_result_release(struct session_result *r)
{
	table_builder_start(r->symbolizer);
	symbolizer_free(r->symbolizer);
	profile_free(r->profile);
	*r = (struct session_result){0};
}

int session_run(const struct session_opts *opts, struct session_result *result, struct quality *q,
		const char **why)
{
	struct sigaction stop = {.sa_handler = on_signal}, old_int, old_term;
	struct session s = {
		.opts = opts, .child = {.gate_fd = -1, .exec_fd = -1}, .open_ns = boottime_ns()};
	const char *stall = getenv("KILN_TEST_DRAIN_STALL_MS");
	uint64_t stall_ms = 0;
	int err;

	*result = (struct session_result){.launched = opts->argv != NULL};
	if (stall && !text_parse_u64(stall, 60000, &stall_ms))
		s.stall_ms = (unsigned)stall_ms;
	stop_requested = 0;
	sigaction(SIGINT, &stop, &old_int);
	sigaction(SIGTERM, &stop, &old_term);
	err = run(&s, result, q, why);
	result->missing_pid = s.missing_pid;
	close_all(&s);
	if (!err && result->launched)
		result->exit_code = launch_exit_code(&s.child);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	return err;
}
