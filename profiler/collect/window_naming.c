// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/window_naming.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/collect/named_window.h"
#include "profiler/collect/losses.h"
#include "profiler/debuginfod/debuginfod.h"
#include "profiler/files/files.h"
#include "profiler/naming/naming.h"
#include "profiler/procs/procs.h"
#include "profiler/profile/profile.h"
#include "profiler/window/aggregate.h"
#include "symbolizer/symbolizer.h"

/* Time to wait for the opener: at the end, and while sampling goes on. */
#define OPENER_LAST_MS 2000
#define OPENER_MS      100
/* At the end nobody waits for a server, but files in its cache come at once. */
#define DEBUGINFOD_LAST_NS 300000000ull

struct window_naming {
	struct window_naming_opts opts;
	struct naming *naming;
	uint64_t period_ns;
	uint64_t recorded, lost_memory; /* samples of all windows so far */
	struct quality given;		/* sums given to all windows so far, see losses_share() */
	uint64_t fetched; /* debug files that had come when the last window was named */
};

DEFINE_CLEANUP(window_naming, window_naming_free)

int window_naming_new(struct window_naming **out, const struct window_naming_opts *opts)
{
	_cleanup_(window_naming_freep) struct window_naming *n = calloc(1, sizeof(*n));
	struct naming_opts naming = {
		.symbolizer = opts->symbolizer,
		.files = opts->files,
		.ksyms = opts->ksyms,
		.feed = opts->feed,
		.kept_maps = opts->kept_maps,
		.cgroups = opts->cgroups,
		.user_labels = opts->user_labels,
		.period_ns = opts->period_ns,
		.names_only = opts->names_only,
		.executables = opts->executables,
		.tick = opts->tick,
		.tick_ctx = opts->tick_ctx,
	};
	int err;

	if (!n)
		return -ENOMEM;
	n->opts = *opts;
	n->period_ns = naming.period_ns;
	err = naming_new(&n->naming, &naming);
	if (err)
		return err;
	*out = steal_ptr(n);
	return 0;
}

void window_naming_free(struct window_naming *n)
{
	if (!n)
		return;
	naming_free(n->naming);
	free(n);
}

void window_naming_set_frequency(struct window_naming *n, uint64_t freq_hz, uint64_t period_ns)
{
	n->opts.freq_hz = freq_hz;
	n->period_ns = period_ns;
	naming_set_period(n->naming, n->period_ns);
}

static int add_facts(const struct window_naming *n, struct profile *p)
{
	struct utsname u = {0};
	int err = 0;

	uname(&u);
	if (n->opts.rootless)
		err = profile_commentf(p, "kiln.rootless=%s", n->opts.rootless);
	return err ?: profile_commentf(p, "kiln.event=%s", n->opts.event) ?:
	       profile_commentf(p, "kiln.freq_hz=%llu", (unsigned long long)n->opts.freq_hz) ?:
	       profile_commentf(p, "kiln.kernel=%s %s", u.release, u.machine);
}

/* Debug files that came since the last window may give lines to names. */
static void await_files(struct window_naming *n, bool last)
{
	struct debuginfod_stats stats;

	symbolizer_rest(n->opts.symbolizer);
	files_settle(n->opts.files, last ? OPENER_LAST_MS : OPENER_MS);
	if (!n->opts.debuginfod)
		return;
	debuginfod_settle(n->opts.debuginfod, last ? DEBUGINFOD_LAST_NS : 0, NULL, NULL);
	debuginfod_stats(n->opts.debuginfod, &stats);
	if (stats.came != n->fetched)
		naming_forget(n->naming);
	n->fetched = stats.came;
}

void window_hold_back(struct window_naming *n, struct procs *procs, struct aggregate *from,
		      struct aggregate *to)
{
	_cleanup_free_ bool *waits = calloc(from->images.len + 1, sizeof(*waits));
	bool any = false;

	for (size_t i = 0; waits && i < from->images.len; i++) {
		const struct agg_image *img = &from->images.data[i];
		const struct proc_image *now = procs_image(procs, img->tgid, boottime_ns());

		waits[i] = now && now->id == img->image_id && now->end_ns == UINT64_MAX &&
			   !naming_knows_jit(n->naming, img);
		any |= waits[i];
	}
	if (any)
		aggregate_hold_back(to, from, waits);
}

/* Adds this window's own counters to its share of the sums. */
static void count_quality(struct window_naming *n, struct window_sums *sums, bool last,
			  struct quality *q)
{
	struct quality share = {0}, *now = &sums->quality;
	struct symbolizer_stats named;

	symbolizer_stats(n->opts.symbolizer, &named);
	now->files_failed = named.files_failed;
	now->recorded = n->recorded;
	now->lost[LOSS_memory] = n->lost_memory;
	losses_count(now, &sums->totals, sums->read_back);
	losses_share(&share, &n->given, now, last);
	if (!n->opts.feed)
		share.walked_fp = q->user_complete + q->user_truncated;
	quality_add(q, &share);
}

/* What there is no memory for is lost, and the profile says so. */
static int name_aggregate(struct window_naming *n, const struct aggregate *a,
			  struct named_window *w)
{
	int err = naming_run(n->naming, a, w->profile, &w->quality);
	uint64_t lost = w->quality.lost[LOSS_memory];

	if (err == -ENOMEM) {
		lost = a->recorded;
		err = 0;
	}
	w->quality.lost[LOSS_memory] = 0; /* count_quality() adds it with the window's share */
	n->recorded += a->recorded - lost;
	n->lost_memory += a->lost_memory + lost;
	return err;
}

int window_name(struct window_naming *n, const struct aggregate *a, struct window_sums *sums,
		bool last, struct named_window *w)
{
	int err;

	w->profile = profile_new();
	if (!w->profile)
		return -ENOMEM;
	w->profile->time_ns = w->begin_unix_ns;
	w->profile->duration_ns = (int64_t)w->duration_ns;
	await_files(n, last);
	err = profile_init_cpu(w->profile, n->period_ns) ?: name_aggregate(n, a, w);
	if (err)
		return err;
	count_quality(n, sums, last, &w->quality);
	return losses_add(w->profile, &w->quality, n->period_ns, n->opts.filtered)
		       ?: add_facts(n, w->profile);
}
