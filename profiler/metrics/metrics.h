/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters and gauges of the agent, in memory that all its processes share. Any process sets the values
 * it knows; the server renders them in Prometheus' text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). All functions may be called at any
 * time, by any process and thread; m may be NULL: then setting does nothing.
 */
#ifndef KILN_METRICS_METRICS_H
#define KILN_METRICS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/profile/quality.h"

/* X(id, kind, unit, "name", "labels", "help"). Lines of one name stand together. A value of unit NS is
 * in ns, and shown in seconds. */
#define METRICS(X)                                                                                 \
	X(samples_recorded, counter, ONE, "kiln_samples_total", "kind=\"recorded\"",               \
	  "Samples taken, by what became of them.")                                                \
	X(samples_idle, counter, ONE, "kiln_samples_total", "kind=\"idle\"", "")                   \
	X(samples_filtered, counter, ONE, "kiln_samples_total", "kind=\"filtered\"", "")           \
	X(samples_stolen, counter, ONE, "kiln_samples_total", "kind=\"stolen\"", "")               \
	X(stacks_complete, counter, ONE, "kiln_stacks_total", "quality=\"complete\"",              \
	  "User stacks, by how far they could be walked.")                                         \
	X(stacks_truncated, counter, ONE, "kiln_stacks_total", "quality=\"truncated\"", "")        \
	X(stacks_missing, counter, ONE, "kiln_stacks_total", "quality=\"missing\"", "")            \
	X(frames, counter, ONE, "kiln_frames_total", "result=\"all\"",                             \
	  "Frames of samples, and those that got no name.")                                        \
	X(frames_unnamed, counter, ONE, "kiln_frames_total", "result=\"unnamed\"", "")             \
	X(windows_stored, counter, ONE, "kiln_store_windows_total", "",                            \
	  "Windows that the store has acknowledged.")                                              \
	X(windows_lost, counter, ONE, "kiln_windows_lost_total", "",                               \
	  "Windows that could not be stored.")                                                     \
	X(windows_waiting, gauge, ONE, "kiln_windows_waiting", "",                                 \
	  "Windows that the store has yet to acknowledge.")                                        \
	X(window_ns, gauge, NS, "kiln_window_duration_seconds", "", "Time that a window covers.")  \
	X(frequency_hz, gauge, ONE, "kiln_sampling_frequency_hertz", "",                           \
	  "Samples a second and CPU, as they are taken now.")                                      \
	X(frequency_wanted_hz, gauge, ONE, "kiln_sampling_frequency_wanted_hertz", "",             \
	  "Samples a second and CPU, as configured.")                                              \
	X(throttled_ns, counter, NS, "kiln_throttled_seconds_total", "",                           \
	  "Time at a lower frequency than configured, to stay within limits.cpu.")                 \
	X(cpu_ns, counter, NS, "kiln_cpu_seconds_total", "",                                       \
	  "CPU time of the agent: its processes and its BPF programs.")                            \
	X(cpu_supervisor, counter, NS, "kiln_process_cpu_seconds_total", "process=\"supervisor\"", \
	  "The same by process, each with those it started; bpf: programs in the kernel.")         \
	X(cpu_sampler, counter, NS, "kiln_process_cpu_seconds_total", "process=\"sampler\"", "")   \
	X(cpu_writer, counter, NS, "kiln_process_cpu_seconds_total", "process=\"writer\"", "")     \
	X(cpu_server, counter, NS, "kiln_process_cpu_seconds_total", "process=\"server\"", "")     \
	X(cpu_uploader, counter, NS, "kiln_process_cpu_seconds_total", "process=\"uploader\"", "") \
	X(cpu_debuginfo, counter, NS, "kiln_process_cpu_seconds_total", "process=\"debuginfo\"",   \
	  "")                                                                                      \
	X(cpu_other, counter, NS, "kiln_process_cpu_seconds_total", "process=\"other\"", "")       \
	X(cpu_bpf, counter, NS, "kiln_process_cpu_seconds_total", "process=\"bpf\"", "")           \
	X(sampling, gauge, ONE, "kiln_sampling", "", "1 while samples are taken.")                 \
	X(sampling_left_out, gauge, ONE, "kiln_sampling_left_out", "",                             \
	  "1 on a host that sampling.hosts leaves out.")                                           \
	X(store_open, gauge, ONE, "kiln_store_open", "", "1 while the store can be written.")      \
	X(store_bytes, gauge, ONE, "kiln_store_bytes", "", "Bytes of the store's segments.")       \
	X(store_oldest_ns, gauge, NS, "kiln_store_oldest_timestamp_seconds", "",                   \
	  "Begin of the oldest segment, since 1970; 0: there is none.")                            \
	X(store_free_bytes, gauge, ONE, "kiln_store_free_bytes", "",                               \
	  "Bytes free on the store's file system.")                                                \
	X(store_min_free_bytes, gauge, ONE, "kiln_store_min_free_bytes", "",                       \
	  "Bytes that stay free there: store.min_free, or a tenth of its size.")                   \
	X(dropped_for_size, counter, ONE, "kiln_store_segments_dropped_total", "reason=\"size\"",  \
	  "Segments that went, the oldest first, by the limit that they exceeded.")                \
	X(dropped_for_age, counter, ONE, "kiln_store_segments_dropped_total", "reason=\"age\"",    \
	  "")                                                                                      \
	X(dropped_for_space, counter, ONE, "kiln_store_segments_dropped_total",                    \
	  "reason=\"space\"", "")                                                                  \
	X(restarts_sampler, counter, ONE, "kiln_process_restarts_total", "process=\"sampler\"",    \
	  "Processes of the agent that were started again.")                                       \
	X(restarts_writer, counter, ONE, "kiln_process_restarts_total", "process=\"writer\"", "")  \
	X(restarts_server, counter, ONE, "kiln_process_restarts_total", "process=\"server\"", "")  \
	X(restarts_uploader, counter, ONE, "kiln_process_restarts_total", "process=\"uploader\"",  \
	  "")                                                                                      \
	X(restarts_debuginfo, counter, ONE, "kiln_process_restarts_total",                         \
	  "process=\"debuginfo\"", "")                                                             \
	X(debuginfo_offered, counter, ONE, "kiln_debuginfo_offered_total", "",                     \
	  "Files that the sampler offered to stores of debug information.")                        \
	X(debuginfo_foreign, counter, ONE, "kiln_debuginfo_skipped_total", "reason=\"not_root\"",  \
	  "Files with samples that were not offered, by reason.")                                  \
	X(debuginfo_unreadable, counter, ONE, "kiln_debuginfo_skipped_total",                      \
	  "reason=\"unreadable\"", "")                                                             \
	X(debuginfo_closed, counter, ONE, "kiln_debuginfo_skipped_total", "reason=\"not_open\"",   \
	  "")                                                                                      \
	X(debuginfo_stripped, counter, ONE, "kiln_debuginfo_skipped_total", "reason=\"stripped\"", \
	  "")                                                                                      \
	X(debuginfo_full, counter, ONE, "kiln_debuginfo_skipped_total", "reason=\"full\"", "")     \
	X(config_reload_successful, gauge, ONE, "kiln_config_last_reload_successful", "",          \
	  "1 if the configuration was valid when it was read last.")                               \
	X(http_requests, counter, ONE, "kiln_http_requests_total", "", "HTTP requests answered.")  \
	X(http_refused, counter, ONE, "kiln_http_requests_refused_total", "",                      \
	  "HTTP requests refused: wrong host, token, method or size, or too many.")                \
	X(http_slow, counter, ONE, "kiln_http_connections_cut_total", "",                          \
	  "HTTP connections closed because the request or its answer took too long.")              \
	X(start_unix_ns, gauge, NS, "process_start_time_seconds", "",                              \
	  "Start of the agent, since 1970.")

enum metric {
#define X(id, ...) METRIC_##id,
	METRICS(X)
#undef X
		METRIC_COUNT
};

enum metrics_unit { METRICS_ONE, METRICS_NS };

/* What is counted of each of several things with a name, as METRICS has it. */
struct metrics_about {
	const char *kind, *name, *labels, *help;
	enum metrics_unit unit;
};
struct metrics_table {
	const char *label; /* whose value is the thing's name */
	const struct metrics_about *about;
	size_t n; /* at most METRICS_OF_EACH */
};
#define METRICS_OF_EACH	   24
#define METRICS_THINGS	   16
#define METRICS_NAME_BYTES 96

struct metrics;

/* Shared with all processes that are forked later. NULL when out of memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

void metrics_set(struct metrics *m, enum metric id, uint64_t value);
void metrics_add(struct metrics *m, enum metric id, uint64_t n);
uint64_t metrics_get(const struct metrics *m, enum metric id);

/* Adds the counters of a window. */
void metrics_add_window(struct metrics *m, const struct quality *q);
/* Samples that were recorded, and are lost afterwards. */
void metrics_add_lost(struct metrics *m, enum loss_reason reason, uint64_t samples);

/*
 * Things that come and go. One process, which is called before all others are forked, says what is counted of them;
 * another one, always the same at a time, says which there are. A name that is there stays, with its values, under
 * its number; -1 when there is no room. metrics_keep() forgets the others.
 */
void metrics_describe(struct metrics *m, const struct metrics_table *table); /* borrowed */
int metrics_find(struct metrics *m, const char *name);
/* The number of one that is there already; for other processes. -1: it is not. */
int metrics_look(const struct metrics *m, const char *name);
void metrics_keep(struct metrics *m, bool (*is_known)(void *ctx, const char *name), void *ctx);
void metrics_set_of(struct metrics *m, int thing, size_t i, uint64_t value);
uint64_t metrics_get_of(const struct metrics *m, int thing, size_t i);

/* Appends the text; errors are the buffer's. */
void metrics_render(const struct metrics *m, struct buf *out);

#endif
