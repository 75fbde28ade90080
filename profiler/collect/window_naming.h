/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was collected to a named window: names, losses, quality. Part of the collector. */
#ifndef KILN_COLLECT_WINDOW_NAMING_H
#define KILN_COLLECT_WINDOW_NAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/profile/quality.h"
#include "profiler/sampler/sampler.h"

struct aggregate;
struct cgroups;
struct debuginfod;
struct files;
struct ksyms;
struct named_window;
struct procs;
struct symbolizer;
struct unwind_feed;
struct window_naming;

struct window_naming_opts { /* everything is borrowed */
	struct symbolizer *symbolizer;
	struct files *files;
	struct ksyms *ksyms;
	struct unwind_feed *feed; /* NULL: by frame pointers */
	struct cgroups *cgroups;
	const char *const *user_labels;
	struct debuginfod *debuginfod;
	struct sampler *sampler;
	uint64_t freq_hz; /* as asked for */
	bool names_only, filtered;
	/* Called now and then while a window is named; may be NULL. */
	void (*tick)(void *ctx);
	void *tick_ctx;
};

/* 0 or -errno. */
int window_naming_new(struct window_naming **out, const struct window_naming_opts *opts);
void window_naming_free(struct window_naming *n);

/* Moves the samples from `from` to `to` that cannot be named yet, and may be later: those in code made at
 * run time of programs that still live and have not said anything of it. */
void window_hold_back(struct window_naming *n, struct procs *procs, struct aggregate *from,
		      struct aggregate *to);

/* Sums since the beginning. */
struct window_sums {
	struct sampler_totals totals; /* from before the window was drained */
	uint64_t read_back;	      /* samples drained */
	struct quality quality; /* of walks and events; what else there is window_name() adds */
};

/* Fills profile and quality of the window. 0 or -errno; then what was filled in has to be released, too. */
int window_name(struct window_naming *n, const struct aggregate *a, struct window_sums *sums,
		bool last, struct named_window *w);

#endif
