/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the perf maps of sampled programs that have code without a file, as early as they may be written. Tells
 * the sampler, so that their sizes belong to the keys of samples, and keeps them open until these have names. One thread.
 */
#ifndef KILN_COLLECT_PERF_MAPS_H
#define KILN_COLLECT_PERF_MAPS_H

#include <stdint.h>
#include <sys/types.h>

struct files;
struct kept_maps;
struct perf_maps;
struct procs;
struct sampler;

/* Borrows all. 0 or -ENOMEM. */
int perf_maps_new(struct perf_maps **out, struct sampler *sampler, struct procs *procs,
		  struct files *files);
void perf_maps_free(struct perf_maps *m);

/* The program that runs in a process now has code without a file. ctx is a struct perf_maps. */
void perf_maps_seen(void *ctx, pid_t tgid);
/* Looks for those that are due: after 50 ms, 100 ms and so on up to every 5 s; and forgets programs that have ended. */
void perf_maps_run(struct perf_maps *m);
/* See kept_maps_window_named(). */
void perf_maps_window_named(struct perf_maps *m);
/* Borrowed while m lives. */
const struct kept_maps *perf_maps_kept(const struct perf_maps *m);

struct perf_maps_stats {
	uint64_t known;	  /* programs with code without a file */
	uint64_t refused; /* there are too many: 1,024 */
	uint64_t unkept;  /* perf maps that are not kept open, see kept_maps.h */
};
void perf_maps_stats(const struct perf_maps *m, struct perf_maps_stats *out);

#endif
