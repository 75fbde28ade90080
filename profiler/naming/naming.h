/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Aggregates in, profiles out: every distinct address of an aggregate is named once, in batches by
 * file, and the profile learns its own quality on the way. What was named lately is kept in a bounded
 * cache (name_cache.h), so that a program that runs on costs little in the next window. Not
 * thread-safe.
 */
#ifndef KILN_NAMING_NAMING_H
#define KILN_NAMING_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agg_image;
struct aggregate;
struct cgroups;
struct files;
struct ksyms;
struct name_cache_stats;
struct naming;
struct profile;
struct quality;
struct symbolizer;
struct unwind_feed;

struct naming_opts { /* everything is borrowed for as long as the naming lives */
	struct symbolizer *symbolizer;
	struct files *files;
	const struct ksyms *ksyms;
	const struct unwind_feed *feed; /* NULL: stacks were walked by frame pointers */
	struct cgroups *cgroups;	/* NULL: no cgroup labels */
	const char *const *user_labels; /* "key=value", NULL-terminated; or NULL */
	uint64_t period_ns;
	bool names_only;    /* no lines */
	size_t cache_bytes; /* 0: NAME_CACHE_BYTES */
	/* Called some times a second while names are looked for: naming a machine's programs for the
	 * first time takes seconds. May be NULL. */
	void (*tick)(void *ctx);
	void *tick_ctx;
};

/* 0 or -ENOMEM. */
int naming_new(struct naming **out, const struct naming_opts *opts);
void naming_free(struct naming *n);

/*
 * Adds the aggregate's samples to an initialised CPU profile. Adds to the counters of q that come from
 * frames and stacks (user_complete ... frames_fde, blame); recorded is the caller's to set. 0 or
 * -errno.
 */
int naming_run(struct naming *n, const struct aggregate *a, struct profile *p, struct quality *q);

/* Whether code of this program can be named: its JIT compiler has written a perf map or a jitdump. */
bool naming_knows_jit(struct naming *n, const struct agg_image *image);

/* Debug files have arrived since: what was named before may have lines now. */
void naming_forget(struct naming *n);

void naming_stats(const struct naming *n, struct name_cache_stats *out);

#endif
