/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a collector's samples come from: BPF programs (sampler.h, drain.h), or for who may not load them, what is
 * allowed without root (rootless.h). Internal to the collector.
 */
#ifndef KILN_COLLECT_SOURCE_H
#define KILN_COLLECT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/sampler/sampler.h"

struct drain;
struct raw_queue;
struct rootless;
struct sideband_opts;
struct sideband;
struct window;

struct source {
	uint64_t period_ns;	   /* without root; the sampler has its own */
	struct sampler *sampler;   /* NULL: without root */
	struct drain *drain;	   /* of the sampler */
	struct rootless *rootless; /* NULL: with BPF programs */
};

/* Loads BPF programs. Where these are not permitted and only own processes are wanted, it does without. Errors and *why
 * as sampler_load(). */
int source_open(struct source *s, const struct sampler_opts *opts, const char **why);
void source_close(struct source *s);

/* Sets what a sideband has to do for this source; then gives it the sideband. */
void source_sideband_opts(const struct source *s, struct sideband_opts *opts);
void source_connect(struct source *s, struct sideband *sideband);

/* As the functions of sampler.h and drain.h. */
int source_add_target(struct source *s, pid_t tgid, const char **why);
int source_start(struct source *s, const char **why);
void source_stop(struct source *s);
void source_pause(struct source *s);
int source_resume(struct source *s, uint64_t freq_hz);
int source_follow_cpus(struct source *s);
int source_totals(struct source *s, struct sampler_totals *out);
bool source_uses_tables(const struct source *s);
bool source_reports_mappings(const struct source *s);
uint64_t source_period_ns(const struct source *s);
const char *source_event_name(const struct source *s);
size_t source_cpu_count(const struct source *s);
int source_raw_fd(const struct source *s);	  /* -1: the sideband wakes for raw samples, too */
bool source_has_new_file(const struct source *s); /* one that should be opened soon */
int source_take_stacks(struct source *s);
struct raw_queue *source_raw(struct source *s);
int source_window(struct source *s, struct window **out);
void source_used(struct source *s, uint64_t used_ns); /* as rootless_used(); else nothing */

/* How it samples without root, in a word for the profile; NULL: with BPF programs. */
const char *source_rootless(const struct source *s);

#endif
