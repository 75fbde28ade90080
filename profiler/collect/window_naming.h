/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a named window of an aggregate: names, losses, quality. Internal to the collector. */
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
struct kept_maps;
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
	struct unwind_feed *feed;	   /* NULL: stacks are walked by frame pointers */
	const struct kept_maps *kept_maps; /* or NULL */
	struct cgroups *cgroups;
	const char *const *user_labels;
	struct debuginfod *debuginfod;
	const char *event;    /* "cpu-clock" or "cycles" */
	const char *rootless; /* how it samples without root, in a word; NULL: with BPF programs */
	uint64_t period_ns;
	uint64_t freq_hz; /* the requested frequency */
	bool names_only, executables, filtered;
	/* Called now and then while a window is named; may be NULL. */
	void (*tick)(void *ctx);
	void *tick_ctx;
};

/* 0 or -errno. */
int window_naming_new(struct window_naming **out, const struct window_naming_opts *opts);
void window_naming_free(struct window_naming *n);

/* The next window was sampled at another frequency. */
void window_naming_set_frequency(struct window_naming *n, uint64_t freq_hz, uint64_t period_ns);

/* Holds back: moves samples from `from` to `to` that may get names later. They are in code made
 * at run time of programs that still live and have written no names yet. */
void window_hold_back(struct window_naming *n, struct procs *procs, struct aggregate *from,
		      struct aggregate *to);

/* Sums since the beginning. */
struct window_sums {
	struct sampler_totals totals; /* read before the window was drained */
	uint64_t read_back;	      /* samples drained */
	struct quality quality; /* counters of walks and events; window_name() adds the others */
};

/* Fills the window's profile and quality. 0 or -errno; the caller releases *w in both cases. */
int window_name(struct window_naming *n, const struct aggregate *a, struct window_sums *sums,
		bool last, struct named_window *w);

#endif
