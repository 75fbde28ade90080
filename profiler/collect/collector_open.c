// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading and opening all that a collector needs, and closing it. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/cache_dir.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/kernel.h"
#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/base/text.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/collect/collector_priv.h"
#include "profiler/collect/file_offers.h"
#include "profiler/collect/perf_maps.h"
#include "profiler/collect/prefetch.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/collect/window_naming.h"
#include "profiler/files/files.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/procs/sideband.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"
#include "symbolizer/symbolizer.h"

/*
 * A window should end at so many bytes: three times what a minute of two busy CPUs takes at 99 Hz.
 */
#define AGGREGATE_BYTES (8u << 20)

DEFINE_CLEANUP(collector, collector_close)

static int open_readers(struct collector *c)
{
	struct readers_opts opts = {
		.sandbox = !c->opts.no_sandbox,
		.names_only = c->opts.names_only,
		.tables = c->opts.sampler.unwind != MODE_FP,
		.debuginfod = c->opts.debuginfod,
		.symbol_bytes = c->opts.symbol_bytes,
	};

	return readers_open(&c->readers, &opts);
}

/* Opens what knows the mappings. */
static int open_tables(struct collector *c)
{
	struct procs_opts procs = {.files = c->files};
	char path[PATH_MAX];
	struct unwind_feed_opts feed = {
		.sampler = c->source.sampler,
		.files = c->files,
		.compiler = c->readers.table_worker,
		.cache_dir = cache_dir_path("unwind", path, sizeof(path)),
	};
	int err = 0;

	if (source_uses_tables(&c->source)) {
		err = unwind_feed_new(&c->feed, &feed);
		procs.changed = unwind_feed_changed;
		procs.changed_ctx = c->feed;
		procs.is_code_of = unwind_feed_is_code_of;
		procs.is_code_of_ctx = c->feed;
	}
	err = err ?: procs_new(&c->procs, &procs) ?: rescan_new(&c->rescan, c->procs);
	if (!err && source_reports_mappings(&c->source))
		err = reported_mappings_new(&c->reported, c->source.sampler, c->procs, c->files,
					    c->rescan)
			      ?: perf_maps_new(&c->perf_maps, c->source.sampler, c->procs,
					       c->files);
	if (!err && c->reported)
		reported_mappings_watch(c->reported, perf_maps_seen, c->perf_maps);
	if (!err && c->feed)
		err = raw_walk_new(&c->raw_walk, c->procs, c->files, c->feed, c->rescan,
				   c->readers.walk_set);
	if (!err && c->raw_walk && source_rootless(&c->source))
		err = raw_walk_read_code(c->raw_walk);
	return err;
}

static int open_sideband(struct collector *c)
{
	struct sideband_opts opts = {
		.procs = c->procs,
		.files = c->files,
		.ksyms = c->ksyms,
		.no_mappings = c->reported || !c->opts.sampler.user,
	};
	struct pollfd raw = {.fd = source_raw_fd(&c->source), .events = POLLIN};
	struct pollfd events = {.events = POLLIN};
	int err;

	source_sideband_opts(&c->source, &opts);
	err = sideband_open(&c->sideband, &opts);
	if (err)
		return err;
	source_connect(&c->source, c->sideband);
	events.fd = sideband_fd(c->sideband);
	return vec_push(&c->watched, events) ?: vec_push(&c->watched, raw);
}

static int open_naming(struct collector *c)
{
	struct window_naming_opts opts = {
		.symbolizer = c->readers.symbolizer,
		.files = c->files,
		.ksyms = c->ksyms,
		.feed = c->feed,
		.kept_maps = c->perf_maps ? perf_maps_kept(c->perf_maps) : NULL,
		.cgroups = c->cgroups,
		.user_labels = c->opts.user_labels,
		.debuginfod = c->opts.debuginfod,
		.event = source_event_name(&c->source),
		.rootless = source_rootless(&c->source),
		.period_ns = source_period_ns(&c->source),
		.freq_hz = c->opts.sampler.freq_hz,
		.names_only = c->opts.names_only,
		.executables = c->opts.executables,
		.filtered = c->filtered,
		.tick = collector_naming_tick,
		.tick_ctx = c,
	};

	return window_naming_new(&c->naming, &opts);
}

static int open_all(struct collector *c, const char **why)
{
	struct sampler_opts *sampler = &c->opts.sampler;
	struct files_opts files = {.idle_ns = c->opts.idle_ns};
	int err;

	sampler->filter_tgids = c->opts.scope == COLLECT_TARGETS;
	c->filtered |= sampler->filter_tgids || sampler->comm_glob ||
		       (sampler->cgroups && sampler->cgroups[0]);
	*why = "cannot start the processes that read foreign files in a sandbox; --no-sandbox "
	       "reads "
	       "them in kiln itself";
	err = open_readers(c) ?: source_open(&c->source, sampler, why);
	if (err)
		return err;
	log_debug("BPF programs loaded after %llu ms", (boottime_ns() - c->open_ns) / 1000000ull);
	/* Before any thread is started, since each has its own; those who start readers keep theirs. */
	*why = "cannot give up privileges";
	if (c->opts.sheds_privileges && (err = privileges_record()))
		return err;
	*why = "out of memory";
	files.opener = c->readers.opener;
	err = files_new(&c->files, &files) ?: ksyms_new(&c->ksyms);
	if (!err && c->opts.debuginfod)
		err = prefetch_new(&c->prefetch, c->opts.debuginfod, c->files,
				   c->readers.symbolizer);
	err = err ?: open_tables(c);
	if (err)
		return err;
	*why = "cannot follow mappings (perf_event_open of a dummy event): `kiln doctor` says more";
	err = open_sideband(c);
	if (err)
		return err;
	if (cgroups_new(&c->cgroups))
		c->cgroups = NULL;
	*why = "out of memory";
	return open_naming(c);
}

/* Nearly everything is read there: a chroot may have none. */
static int look_for_proc(const char **why)
{
	if (!access("/proc/self/maps", F_OK))
		return 0;
	*why = "/proc is not mounted: kiln reads there which processes run and what they map";
	return -ENOENT;
}

/* Numbers of processes are those of kiln's pid namespace: -p, /proc, perf events, and in the BPF programs. */
static int look_at_proc(struct collector *c, const char **why)
{
	int err = look_for_proc(why);

	if (err)
		return err;
	if (!kernel_proc_is_own()) {
		*why = "/proc is that of another pid namespace: mount one that belongs to this one "
		       "(unshare --mount-proc)";
		return -ENOENT;
	}
	if (!kernel_pid_namespace())
		return 0;
	c->filtered = true;
	log_debug("in a pid namespace of its own: processes outside of it are left out");
	return 0;
}

int collector_open(struct collector **out, const struct collector_opts *opts, const char **why)
{
	_cleanup_(collector_freep) struct collector *c = calloc(1, sizeof(*c));
	const char *stall = getenv("KILN_TEST_DRAIN_STALL_MS");
	uint64_t stall_ms = 0;
	int err;

	*why = "out of memory";
	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->opts.aggregate_bytes = c->opts.aggregate_bytes ?: AGGREGATE_BYTES;
	c->open_ns = boottime_ns();
	if (stall && !text_parse_u64(stall, 60000, &stall_ms))
		c->stall_ms = (unsigned)stall_ms;
	err = look_at_proc(c, why) ?: open_all(c, why);
	if (err)
		return err;
	*out = steal_ptr(c);
	return 0;
}

void collector_close(struct collector *c)
{
	if (!c)
		return;
	for (size_t i = WATCH_TARGETS; i < c->watched.len; i++)
		close(c->watched.data[i].fd);
	vec_release(&c->watched);
	file_offers_free(c->offers); /* it asks the file table and the opener */
	aggregate_clear(&c->aggregate);
	window_naming_free(c->naming);
	cgroups_free(c->cgroups);
	sideband_close(c->sideband);
	raw_walk_free(c->raw_walk);
	reported_mappings_free(c->reported);
	perf_maps_free(c->perf_maps);
	rescan_free(c->rescan);
	procs_free(c->procs);
	ksyms_free(c->ksyms);
	unwind_feed_free(c->feed);
	prefetch_free(c->prefetch);
	files_free(c->files);
	source_close(&c->source);
	readers_close(&c->readers);
	free(c);
}
