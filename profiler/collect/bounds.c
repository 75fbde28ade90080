// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/bounds.h"

#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/collect/perf_maps.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/files/files.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/profile/quality.h"
#include "profiler/sampler/drain.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"
#include "symbolizer/opener/opener.h"

struct all_stats {
	struct files_stats files;
	struct procs_stats procs;
	struct rescan_stats rescan;
	struct ksyms_stats ksyms;
	struct cgroups_stats cgroups;
	struct drain_stats drain;
	struct reported_stats reported;
	struct perf_maps_stats perf_maps;
	struct unwind_tables_stats tables;
	struct unwind_maps_stats maps;
	struct unwind_feed_stats feed;
	struct raw_walk_stats walks;
	struct opener_stats opener;
};

static void read_all(struct all_stats *s, const struct bounded *b)
{
	*s = (struct all_stats){0};
	if (b->files)
		files_stats(b->files, &s->files);
	if (b->files && files_opener(b->files))
		opener_stats(files_opener(b->files), &s->opener);
	if (b->procs)
		procs_stats(b->procs, &s->procs);
	if (b->rescan)
		rescan_stats(b->rescan, &s->rescan);
	if (b->ksyms)
		ksyms_stats(b->ksyms, &s->ksyms);
	if (b->cgroups)
		cgroups_stats(b->cgroups, &s->cgroups);
	if (b->drain)
		drain_stats(b->drain, &s->drain);
	if (b->reported)
		reported_mappings_stats(b->reported, &s->reported);
	if (b->perf_maps)
		perf_maps_stats(b->perf_maps, &s->perf_maps);
	if (b->feed)
		unwind_feed_stats(b->feed, &s->tables, &s->maps);
	if (b->feed)
		unwind_feed_own_stats(b->feed, &s->feed);
	if (b->raw_walk)
		raw_walk_stats(b->raw_walk, &s->walks);
}

void bounds_count(struct quality *sums, const struct bounded *b)
{
	struct all_stats s;

	read_all(&s, b);
	sums->full_files = s.files.table_full;
	sums->files_gone = s.files.gone;
	sums->full_processes = s.procs.evicted + s.procs.threads_refused;
	sums->full_mappings = s.procs.mappings_capped + s.procs.past_dropped + s.reported.dropped +
			      s.drain.mappings_dropped;
	sums->full_rescans = s.rescan.full;
	sums->full_tables = s.tables.no_room + s.tables.files_full;
	sums->jit_refused = s.tables.jit_refused;
	sums->full_stacks = s.drain.raw_dropped;
	sums->full_cgroups = s.cgroups.refused;
	sums->full_ksyms = s.ksyms.refused;
	sums->files_hung = s.opener.stalls + s.opener.skipped;
}

static void put(struct buf *b, const char *key, uint64_t n)
{
	buf_printf(b, " %s=%llu", key, (unsigned long long)n);
}

static void log_kept(const struct all_stats *s)
{
	struct buf b = {0};

	put(&b, "files", s->files.files);
	put(&b, "path_bytes", s->files.path_bytes);
	put(&b, "images", s->procs.images);
	put(&b, "procs_bytes", s->procs.bytes);
	put(&b, "ksyms", s->ksyms.known);
	put(&b, "ksyms_bytes", s->ksyms.bytes);
	put(&b, "cgroups", s->cgroups.known);
	put(&b, "cgroups_bytes", s->cgroups.bytes);
	put(&b, "tables", s->tables.loaded);
	put(&b, "tables_bytes", s->tables.bytes);
	put(&b, "table_files", s->tables.files);
	put(&b, "fed", s->maps.processes);
	put(&b, "users_bytes", s->feed.users_bytes);
	log_debug("kept:%s", buf_cstr(&b));
	buf_release(&b);
}

/* Counters of what was refused or forgotten, by module. DESIGN.md lists the bounds. */
#define REFUSED(X)                                                                                 \
	X(files, table_full)                                                                       \
	X(files, queue_dropped)                                                                    \
	X(files, roots_full)                                                                       \
	X(files, gone)                                                                             \
	X(procs, evicted)                                                                          \
	X(procs, threads_refused)                                                                  \
	X(procs, mappings_capped)                                                                  \
	X(procs, past_dropped)                                                                     \
	X(rescan, full)                                                                            \
	X(ksyms, refused)                                                                          \
	X(cgroups, refused)                                                                        \
	X(cgroups, cut)                                                                            \
	X(drain, raw_dropped)                                                                      \
	X(drain, mappings_dropped)                                                                 \
	X(reported, forgotten)                                                                     \
	X(reported, dropped)                                                                       \
	X(perf_maps, refused)                                                                      \
	X(perf_maps, unkept)                                                                       \
	X(tables, evicted)                                                                         \
	X(tables, no_room)                                                                         \
	X(tables, files_full)                                                                      \
	X(tables, queue_full)                                                                      \
	X(tables, jit_refused)                                                                     \
	X(maps, full)                                                                              \
	X(maps, cut)                                                                               \
	X(feed, refused)                                                                           \
	X(walks, crowded)                                                                          \
	X(opener, stalls)                                                                          \
	X(opener, skipped)                                                                         \
	X(opener, crowded)                                                                         \
	X(opener, lost)

static void log_refused(const struct all_stats *s)
{
	struct buf b = {0};

#define X(of, what) put(&b, #of "." #what, s->of.what);
	REFUSED(X)
#undef X
	put(&b, "cache.dropped", s->tables.cache.dropped);
	log_debug("for lack of room:%s", buf_cstr(&b));
	buf_release(&b);
}

void bounds_log(const struct bounded *b)
{
	struct all_stats s;

	read_all(&s, b);
	log_kept(&s);
	log_refused(&s);
}
