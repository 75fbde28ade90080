/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was collected to a named window: names, losses, quality. Part of the collector. */
#ifndef KILN_COLLECT_WINDOW_NAMING_H
#define KILN_COLLECT_WINDOW_NAMING_H

#include <stdbool.h>
#include <stdint.h>

struct aggregate;
struct cgroups;
struct debuginfod;
struct files;
struct ksyms;
struct named_window;
struct quality;
struct sampler;
struct sampler_totals;
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

/*
 * Fills profile and quality of the window. sums: what was counted since the beginning, but for the
 * totals, the samples and the files, which are added. 0 or -errno; then what was filled in has to be
 * released, too.
 */
int window_name(struct window_naming *n, const struct aggregate *a, const struct sampler_totals *t,
		struct quality *sums, bool last, struct named_window *w);

#endif
