/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns aggregates into profiles. Every distinct address of an aggregate is named once, in batches
 * by file. The quality of the profile is counted on the way. A bounded cache (name_cache.h) keeps
 * recent names, so a program that goes on costs little in the next window. Not thread-safe.
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
struct kept_maps;
struct ksyms;
struct name_cache_stats;
struct naming;
struct profile;
struct quality;
struct symbolizer;
struct unwind_feed;

/* kiln itself puts up to seven on a sample. */
#define NAMING_USER_LABELS_MAX 58

struct naming_opts { /* everything is borrowed while the naming lives */
	struct symbolizer *symbolizer;
	struct files *files;
	const struct ksyms *ksyms;
	const struct unwind_feed *feed;	   /* NULL: stacks were walked by frame pointers */
	const struct kept_maps *kept_maps; /* NULL: perf maps are looked for by their paths alone */
	struct cgroups *cgroups;	   /* NULL: no cgroup labels */
	const char *const *user_labels;	   /* "key=value", NULL-terminated; or NULL */
	uint64_t period_ns;
	bool names_only;    /* no lines */
	bool executables;   /* a label says which program a process runs */
	size_t cache_bytes; /* 0: NAME_CACHE_BYTES */
	/* See packages_new(); NULL: "". */
	const char *packages_root;
	/* Called some times a second while names are looked up: naming all programs of a machine
	 * for the first time takes seconds. May be NULL. */
	void (*tick)(void *ctx);
	void *tick_ctx;
};

/* 0, -E2BIG (more labels than NAMING_USER_LABELS_MAX) or -ENOMEM. */
int naming_new(struct naming **out, const struct naming_opts *opts);
void naming_free(struct naming *n);

/*
 * Adds the aggregate's samples to an initialised CPU profile. Adds to the counters of q that come
 * from frames and stacks (user_complete ... frames_short, blame), and to lost[LOSS_memory] the samples that there
 * was no memory for. The caller sets `recorded`. 0 or -errno; after -ENOMEM no sample was added.
 */
int naming_run(struct naming *n, const struct aggregate *a, struct profile *p, struct quality *q);

/* 0 if this program's JIT compiler has made a perf map or a jitdump; else why there is none, as perf_map.h says;
 * -EFBIG: in the last run it was found to be larger than is read. */
int naming_jit_error(struct naming *n, const struct agg_image *image);
/* True if it has, and there is something in the perf map: it may be written through a large buffer. */
bool naming_knows_jit(struct naming *n, const struct agg_image *image);

/* Sets what one sample stands for from now on. */
void naming_set_period(struct naming *n, uint64_t period_ns);

/*
 * Forgets all cached names. Call it when new debug files came: named addresses may now get lines.
 */
void naming_forget(struct naming *n);

void naming_stats(const struct naming *n, struct name_cache_stats *out);

#endif
