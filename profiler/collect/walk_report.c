// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/walk_report.h"

#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/collect/reported_mappings.h"
#include "profiler/procs/rescan.h"
#include "profiler/profile/quality.h"
#include "profiler/sampler/sampler.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"

static void count_walks(struct quality *q, const struct sampler_totals *t,
			const struct raw_walk_stats *walked)
{
	uint64_t walks = 0;

	for (int e = 0; e < UNWIND_END_COUNT; e++)
		walks += t->walk_end[e];
	q->walked_fp = t->counters[KILN_CTR_walk_fp];
	q->walked_kernel = walks - t->counters[KILN_CTR_raw] - q->walked_fp;
	q->walked_user = walked->by_tables;
	q->walked_libunwind = walked->by_libunwind;
	q->raw_full = t->counters[KILN_CTR_raw_full];
	q->tables_late = walked->late + walked->crowded;
}

static void log_shares(const struct quality *q, const struct raw_walk_stats *walked)
{
	uint64_t all = q->walked_kernel + q->walked_fp + q->walked_user + q->walked_libunwind;
	double percent = all ? 100.0 / (double)all : 0;

	log_debug("user stacks: %.2f %% walked in the kernel by tables, %.2f %% with frame "
		  "pointers, %.2f %% in user space by tables, %.2f %% by libunwind; sent there for "
		  "no_mapping %.2f %%, no_table %.2f %%, slow %.2f %%",
		  percent * (double)q->walked_kernel, percent * (double)q->walked_fp,
		  percent * (double)q->walked_user, percent * (double)q->walked_libunwind,
		  percent * (double)walked->why[UNWIND_END_NO_MAPPING],
		  percent * (double)walked->why[UNWIND_END_NO_TABLE],
		  percent * (double)walked->why[UNWIND_END_SLOW]);
}

static void put(struct buf *b, const char *key, uint64_t n)
{
	buf_printf(b, " %s=%llu", key, (unsigned long long)n);
}

static void log_ends(const struct sampler_totals *t)
{
	struct buf b = {0};

#define X(end, key, text)                                                                          \
	if (UNWIND_##end != UNWIND_ON)                                                             \
		put(&b, #key, t->walk_end[UNWIND_##end]);
	UNWIND_ENDS(X)
#undef X
	log_debug("walks in the kernel ended:%s", buf_cstr(&b));
	buf_release(&b);
}

static void log_counters(const struct raw_walk_stats *walked, const struct rescan_stats *again,
			 uint64_t no_room)
{
	struct buf b = {0};

#define X(name) put(&b, #name, walked->name);
	RAW_WALK_COUNTERS(X)
#undef X
	put(&b, "lost", walked->lost);
	put(&b, "no_room", no_room);
	log_debug("walked in user space:%s", buf_cstr(&b));
	buf_clear(&b);
#define X(name) put(&b, #name, again->name);
	RESCAN_COUNTERS(X)
#undef X
	log_debug("rescans:%s", buf_cstr(&b));
	buf_release(&b);
}

static void log_tables(const struct unwind_tables_stats *tables,
		       const struct unwind_maps_stats *maps)
{
	log_debug("unwind tables: %llu loaded, %llu KB, %llu from the cache, %llu files without; "
		  "%llu processes set %llu times",
		  (unsigned long long)tables->loaded, (unsigned long long)tables->bytes / 1024,
		  (unsigned long long)tables->cache.hits, (unsigned long long)tables->none,
		  (unsigned long long)maps->processes, (unsigned long long)maps->sets);
}

static void log_reported(const struct sampler_totals *t, const struct reported_mappings *reported)
{
	struct reported_stats stats;
	struct buf b = {0};

	reported_mappings_stats(reported, &stats);
	put(&b, "reported", t->counters[KILN_CTR_mappings_reported]);
	put(&b, "unread", t->counters[KILN_CTR_mappings_unread]);
#define X(name) put(&b, #name, stats.name);
	REPORTED_COUNTERS(X)
#undef X
	log_debug("mappings reported by samples:%s", buf_cstr(&b));
	buf_release(&b);
}

void walk_count(struct quality *q, const struct sampler_totals *t, struct unwind_feed *feed,
		const struct raw_walk *raw_walk, const struct rescan *rescan)
{
	struct raw_walk_stats walked;
	struct unwind_tables_stats tables;
	struct unwind_maps_stats maps;
	struct rescan_stats again;

	rescan_stats(rescan, &again);
	q->rescanned = again.read;
	if (!feed)
		return;
	raw_walk_stats(raw_walk, &walked);
	unwind_feed_stats(feed, &tables, &maps);
	count_walks(q, t, &walked);
	/* The same file may have failed in both workers. It counts once. */
	q->tables_failed =
		tables.failed > walked.files_failed ? tables.failed : walked.files_failed;
}

void walk_report(const struct quality *q, const struct sampler_totals *t, struct unwind_feed *feed,
		 const struct raw_walk *raw_walk, const struct rescan *rescan,
		 const struct reported_mappings *reported)
{
	struct raw_walk_stats walked;
	struct unwind_tables_stats tables;
	struct unwind_maps_stats maps;
	struct rescan_stats again;

	if (reported)
		log_reported(t, reported);
	if (!feed)
		return;
	rescan_stats(rescan, &again);
	raw_walk_stats(raw_walk, &walked);
	unwind_feed_stats(feed, &tables, &maps);
	log_shares(q, &walked);
	log_ends(t);
	log_counters(&walked, &again, q->raw_full);
	log_tables(&tables, &maps);
}
