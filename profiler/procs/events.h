/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses perf records (perf_event_open(2), "MMAP layout") and applies them to the process table. No
 * I/O. The bytes may be anything.
 */
#ifndef KILN_PROCS_EVENTS_H
#define KILN_PROCS_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/bytes.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"

/* Sample type that every event must have been opened with (sample_id_all). Records then end with
 * { u32 pid, tid; u64 time; u32 cpu, res; }, 24 bytes. Samples begin with them. */
#define EVENT_SAMPLE_TYPE (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU)

enum event_kind {
	EVENT_OTHER, /* not needed, or of a process outside of kiln's pid namespace */
	EVENT_FORK,
	EVENT_EXIT,
	EVENT_COMM,
	EVENT_EXEC,
	EVENT_MMAP,
	EVENT_CODE_BEGIN, /* code was added to the kernel: start, len, name */
	EVENT_CODE_END,
	EVENT_LOST,
	EVENT_SAMPLE, /* tgid, tid, and the rest of the record in `body` */
};

struct event {
	enum event_kind kind;
	uint64_t t_ns;
	pid_t tgid, tid, parent_tgid, parent_tid;
	const char *name; /* comm, path or symbol; borrowed from the record */
	uint64_t start, len, file_off;
	struct file_key file;
	uint64_t lost;
	struct bytes body; /* what PERF_SAMPLE_CPU and later bits put there; borrowed */
};

/* Parses a whole record. 0, or -EBADMSG with *out unchanged. */
int event_parse(struct event *out, const void *record, size_t len);

/*
 * Applies an event about a process. Without a file table (NULL), files count as anonymous memory.
 */
void event_apply(const struct event *e, struct procs *p, struct files *f);

#endif
