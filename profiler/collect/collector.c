// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/collector_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/collect/bounds.h"
#include "profiler/collect/file_offers.h"
#include "profiler/collect/losses.h"
#include "profiler/collect/perf_maps.h"
#include "profiler/collect/prefetch.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/collect/walk_report.h"
#include "profiler/collect/window_naming.h"
#include "profiler/files/files.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/procs/sideband.h"
#include "profiler/profile/profile.h"
#include "profiler/sampler/drain.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"
#include "symbolizer/symbolizer.h"

/* While samples wait for unwind tables the rings are read more often, but never more often than
 * this. */
#define BUSY_TURN_MS 10
/* Nor for new files more often than this. A program may live for some milliseconds, and take its file with it. */
#define FILE_TURN_US 1000
/* Time for rescans in one turn, and before counts are normalized. */
#define RESCAN_NS      5000000ull
#define RESCAN_LAST_NS 100000000ull
/* At the end of a drain, its samples wait this long for tables, while the rings fill. The last
 * drain waits longer, because sampling has stopped. */
#define DRAIN_TABLES_MS 100
#define LAST_TABLES_MS	2000
/* Sampling starts when the running programs have unwind tables, or after this time. */
#define FIRST_TABLES_MS 100

/* Descriptors are closed two minutes after the last use of their file (files.h). */
#define NAME_AFTER_NS 60000000000ull
/* Sooner if there are more files than descriptors, and at once if half of them is of new files. */
#define NAME_SOON_NS 10000000000ull
#define NAME_NEXT_NS 500000000ull

/* --- targets ----------------------------------------------------------------------------------- */

int collector_add(struct collector *c, pid_t tgid, const char **why)
{
	return source_add_target(&c->source, tgid, why);
}

void collector_used(struct collector *c, uint64_t used_ns)
{
	source_used(&c->source, used_ns);
}

/* Explains an error of pidfd_open(2). For a thread it is EINVAL, from Linux 6.9 on ENOENT. */
static int no_pidfd(int error, const char **why)
{
	switch (error) {
	case ESRCH:
		*why = "no such process";
		return -ESRCH;
	case EINVAL:
	case ENOENT:
		*why = "this is a thread; give -p the id of its process";
		return -ESRCH;
	default:
		*why = strerror(error);
		return -error;
	}
}

/* A pidfd reports the end of the process. */
int collector_watch(struct collector *c, pid_t tgid, const char **why)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, tgid, 0), .events = POLLIN};
	int err;

	if (p.fd < 0)
		return no_pidfd(errno, why);
	*why = "out of memory";
	err = vec_push(&c->watched, p);
	if (err) {
		close(p.fd);
		return err;
	}
	return collector_add(c, tgid, why);
}

bool collector_targets_gone(const struct collector *c)
{
	for (size_t i = WATCH_TARGETS; i < c->watched.len; i++)
		if (!(c->watched.data[i].revents & POLLIN))
			return false;
	return c->watched.len > WATCH_TARGETS;
}

size_t collector_targets(struct collector *c, pid_t *out, size_t max)
{
	size_t n;

	if (!c->source.sampler || !sampler_numbers_are_own(c->source.sampler))
		return 0;
	n = sampler_targets(c->source.sampler, out, max);
	return n < max ? n : max;
}

int collector_scan(struct collector *c, pid_t tgid, const char **why)
{
	int err = procs_scan(c->procs, tgid, boottime_ns());

	*why = "cannot read /proc";
	return tgid && (err == -ESRCH || err == -ENOENT) ? 0 : err;
}

/* --- sampling ---------------------------------------------------------------------------------- */

static void begin_window(struct collector *c)
{
	c->window_ns = boottime_ns();
	c->window_unix_ns = unix_ns();
	files_begin_window(c->files);
}

int collector_start(struct collector *c, const char **why)
{
	int err;

	if (c->feed)
		unwind_feed_settle(c->feed, c->procs, FIRST_TABLES_MS);
	err = source_start(&c->source, why);
	begin_window(c);
	c->start_ns = c->drain_ns = c->window_ns;
	c->sampling = !err;
	log_debug("sampling after %llu ms", (c->start_ns - c->open_ns) / 1000000ull);
	return err;
}

void collector_stop(struct collector *c)
{
	source_stop(&c->source);
	c->sampling = false;
}

/* Applies the events up to now and the reported mappings. Rescans processes where these are not
 * enough. */
static int follow_mappings(struct collector *c, uint64_t budget_ns)
{
	int err = sideband_poll(c->sideband, 0);
	uint64_t from_ns;

	if (sideband_take_loss(c->sideband, &from_ns))
		rescan_want_all(c->rescan, from_ns);
	if (c->reported)
		reported_mappings_run(c->reported, c->source.drain);
	if (c->perf_maps)
		perf_maps_run(c->perf_maps);
	rescan_run(c->rescan, budget_ns);
	return err;
}

/* Walks the raw samples of a drained window. Waits some time for tables that are being compiled. */
static void walk_left(struct collector *c, const struct window *w, int wait_ms)
{
	uint64_t until = boottime_ns() + (uint64_t)wait_ms * 1000000ull;

	if (!c->raw_walk)
		return;
	for (;;) {
		follow_mappings(c, RESCAN_NS);
		unwind_feed_run(c->feed, c->procs);
		raw_walk_run(c->raw_walk, source_raw(&c->source));
		if (!raw_walk_waits(c->raw_walk) || boottime_ns() >= until)
			break;
		usleep(BUSY_TURN_MS * 1000);
	}
	raw_walk_finish(c->raw_walk, w);
}

/* Asks for the names of cgroups while they exist. */
static void remember_cgroups(struct collector *c, size_t from)
{
	struct cgroup_names names;

	for (size_t i = from; c->cgroups && i < c->aggregate.cgroups.len; i++)
		cgroups_names(c->cgroups, c->aggregate.cgroups.data[i], &names);
}

/* Drains the kernel's counts into the aggregate. */
static int drain_counts(struct collector *c, bool last)
{
	size_t n_cgroups = c->aggregate.cgroups.len;
	bool fresh = !c->aggregate.frames.len;
	struct window *w;
	int err = source_window(&c->source, &w);

	if (err)
		return err;
	/* So the process table has everything that was mapped before the last sample. */
	err = follow_mappings(c, RESCAN_LAST_NS);
	if (err)
		log_debug("reading mapping events: %s", strerror(-err));
	walk_left(c, w, last ? LAST_TABLES_MS : DRAIN_TABLES_MS);
	c->read_back += w->samples;
	aggregate_window(&c->aggregate, w, c->procs, c->ksyms);
	window_free(w);
	if (c->prefetch)
		prefetch_run(c->prefetch, &c->aggregate, fresh);
	if (c->offers)
		file_offers_look(c->offers, &c->aggregate, fresh);
	remember_cgroups(c, n_cgroups);
	procs_expire(c->procs, boottime_ns());
	ksyms_expire(c->ksyms, c->drain_ns);
	c->drain_ns = boottime_ns();
	return 0;
}

/* Empties the ring of stacks, then follows the mappings up to now. So the kernel half learns
 * them, and raw samples are walked while the table has them. */
static int take_stacks(struct collector *c)
{
	int err = source_take_stacks(&c->source) ?: follow_mappings(c, RESCAN_NS);

	if (!c->feed || err)
		return err;
	unwind_feed_run(c->feed, c->procs);
	raw_walk_run(c->raw_walk, source_raw(&c->source));
	return 0;
}

/* For tests: a turn that takes no stacks until the window ends. */
static int stall(struct collector *c)
{
	usleep(c->stall_ms * 1000);
	return follow_mappings(c, RESCAN_NS);
}

static int work(struct collector *c)
{
	int err;

	/* A CPU that cannot be opened now is tried again a second later. */
	err = source_follow_cpus(&c->source);
	if (err)
		log_debug("following CPUs: %s", strerror(-err));
	sideband_update_cpus(c->sideband);
	err = c->stall_ms ? stall(c) : take_stacks(c);
	if (!err && boottime_ns() - c->drain_ns >= c->opts.sampler.window_ns)
		err = drain_counts(c, false);
	return err;
}

/* Whether the last turn is long enough ago. */
static bool may_turn(const struct collector *c)
{
	return boottime_ns() - c->turn_ns >= BUSY_TURN_MS * 1000000ull;
}

static void rest(const struct collector *c)
{
	while (!may_turn(c)) {
		usleep(FILE_TURN_US);
		if (source_has_new_file(&c->source))
			return;
	}
}

/* Raw samples end the sleep early, so that the kernel half learns about new programs before they
 * are sampled often. */
static void sleep_until_due(struct collector *c, int timeout_ms)
{
	bool busy = c->raw_walk && raw_walk_waits(c->raw_walk);
	int n = poll(c->watched.data, c->watched.len,
		     busy && timeout_ms > BUSY_TURN_MS ? BUSY_TURN_MS : timeout_ms);

	if (n > 0 && c->watched.data[WATCH_RAW].revents)
		rest(c);
	c->turn_ns = boottime_ns();
}

int collector_turn(struct collector *c, int timeout_ms)
{
	if (c->sampling) {
		sleep_until_due(c, timeout_ms);
		return work(c);
	}
	poll(c->watched.data, 1, timeout_ms);
	return sideband_poll(c->sideband, 0);
}

/* --- windows ----------------------------------------------------------------------------------- */

bool collector_wants_window(const struct collector *c)
{
	uint64_t age_ns = boottime_ns() - c->window_ns;

	return aggregate_bytes(&c->aggregate) >= c->opts.aggregate_bytes ||
	       age_ns >= NAME_AFTER_NS || (age_ns >= NAME_SOON_NS && files_full(c->files)) ||
	       (age_ns >= NAME_NEXT_NS && files_many_new(c->files));
}

void collector_naming_tick(void *ctx)
{
	struct collector *c = ctx;

	if (c->opts.naming)
		c->opts.naming(c->opts.naming_ctx);
	if (!c->sampling && c->opts.gives_up && c->opts.gives_up())
		symbolizer_give_up(c->readers.symbolizer);
	if (c->sampling && (may_turn(c) || source_has_new_file(&c->source))) {
		c->turn_ns = boottime_ns();
		work(c);
	}
}

static struct bounded bounded_of(const struct collector *c)
{
	return (struct bounded){
		.files = c->files,
		.procs = c->procs,
		.rescan = c->rescan,
		.ksyms = c->ksyms,
		.cgroups = c->cgroups,
		.drain = c->source.drain,
		.reported = c->reported,
		.perf_maps = c->perf_maps,
		.feed = c->feed,
		.raw_walk = c->raw_walk,
	};
}

static void count_sums(struct collector *c, struct window_sums *sums)
{
	struct bounded bounded = bounded_of(c);
	struct sideband_stats side;

	sideband_stats(c->sideband, &side);
	sums->read_back = c->read_back;
	sums->quality.sideband_lost = side.lost;
	bounds_count(&sums->quality, &bounded);
	walk_count(&sums->quality, &sums->totals, c->feed, c->raw_walk, c->rescan);
}

/* Held-back samples take at most half of a full window. Otherwise windows would be named all the
 * time. */
static void hold_back(struct collector *c, struct aggregate *from)
{
	if (aggregate_bytes(from) < c->opts.aggregate_bytes / 2)
		window_hold_back(c->naming, c->procs, from, &c->aggregate);
}

static void report(const struct collector *c, const struct window_sums *sums)
{
	struct bounded bounded = bounded_of(c);

	walk_report(&sums->quality, &sums->totals, c->feed, c->raw_walk, c->rescan, c->reported);
	bounds_log(&bounded);
}

/* The window that began while the last one was named may have ids of kernel symbols. */
static void forget_ksyms(struct collector *c)
{
	for (size_t i = 0; i < c->aggregate.frames.len; i++)
		if (c->aggregate.frames.data[i].cls == AT_KSYM)
			return;
	ksyms_forget_names(c->ksyms);
}

void collector_set_frequency(struct collector *c, uint64_t freq_hz)
{
	c->next_hz = freq_hz;
}

/* Counts what is left of a window. No sample of another frequency gets into it. What cannot be read is in a later
 * window, or counts as drain_failed. */
static int finish_counts(struct collector *c, bool last, struct sampler_totals *totals)
{
	uint64_t old_hz = c->opts.sampler.freq_hz, hz = last || !c->next_hz ? old_hz : c->next_hz;
	int err, unread;

	if (hz != old_hz)
		source_pause(&c->source);
	err = source_totals(&c->source, totals);
	unread = err ?: drain_counts(c, last);
	if (hz != old_hz && !source_resume(&c->source, unread ? old_hz : hz) && !unread)
		c->opts.sampler.freq_hz = hz;
	c->next_hz = 0;
	if (unread && !err)
		log_warning("the last counts of a window cannot be read: %s", strerror(-unread));
	return err;
}

int collector_end_window(struct collector *c, bool last, struct named_window *out)
{
	struct named_window w = {.begin_unix_ns = c->window_unix_ns};
	struct window_sums sums = {0};
	struct aggregate a;
	int err = finish_counts(c, last, &sums.totals);

	if (err)
		return err;
	w.duration_ns = c->drain_ns - c->window_ns;
	a = c->aggregate;
	c->aggregate = (struct aggregate){.max_bytes = a.max_bytes};
	begin_window(c);
	if (c->opts.waits_for_names && !last)
		hold_back(c, &a);
	count_sums(c, &sums);
	err = window_name(c->naming, &a, &sums, last, &w);
	files_window_named(c->files);
	if (c->perf_maps)
		perf_maps_window_named(c->perf_maps);
	window_naming_set_frequency(c->naming, c->opts.sampler.freq_hz,
				    source_period_ns(&c->source));
	if (last && log_level() >= LOG_VERBOSE)
		report(c, &sums);
	aggregate_clear(&a);
	forget_ksyms(c);
	if (err)
		named_window_release(&w);
	else
		*out = w;
	return err;
}

/* --- files for others ---------------------------------------------------------------------------- */

int collector_offer_files(struct collector *c, int sock, bool others)
{
	int err = c->offers || sock < 0 ? 0 : file_offers_new(&c->offers, c->files);

	if (err)
		close(sock);
	else if (c->offers)
		file_offers_connect(c->offers, sock, others);
	return err;
}

void collector_offer_stats(const struct collector *c, struct file_offers_stats *out)
{
	*out = (struct file_offers_stats){0};
	if (c->offers)
		file_offers_stats(c->offers, out);
}

/* --- what it knows ----------------------------------------------------------------------------- */

void collector_progress(struct collector *c, struct collector_progress *out)
{
	struct sampler_totals t;

	*out = (struct collector_progress){.sampling_ns = boottime_ns() - c->start_ns};
	if (source_totals(&c->source, &t))
		return;
	out->samples = t.counters[KILN_CTR_recorded];
	out->lost = t.counters[KILN_CTR_map_full] + t.counters[KILN_CTR_update_failed] +
		    t.counters[KILN_CTR_unattended];
}

struct sampler *collector_sampler(struct collector *c)
{
	return c->source.sampler;
}

const char *collector_event(const struct collector *c)
{
	return source_event_name(&c->source);
}

size_t collector_cpus(const struct collector *c)
{
	return source_cpu_count(&c->source);
}

uint64_t collector_start_ns(const struct collector *c)
{
	return c->start_ns;
}

struct symbolizer *collector_take_symbolizer(struct collector *c)
{
	return steal_ptr(c->readers.symbolizer);
}
