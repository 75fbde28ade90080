/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf records, from bytes to meaning to the process table (perf_event_open(2), "MMAP layout").
 * Pure: no I/O, and the bytes may be anything.
 */
#ifndef KILN_PROCS_EVENTS_H
#define KILN_PROCS_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/files/files.h"
#include "profiler/procs/procs.h"

/* What every record must have been opened with (sample_id_all): its last 24 bytes are
 * { u32 pid, tid; u64 time; u32 cpu, res; }. */
#define EVENT_SAMPLE_TYPE (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU)

enum event_kind {
	EVENT_OTHER, /* of no interest, or of a process outside our pid namespace */
	EVENT_FORK,
	EVENT_EXIT,
	EVENT_COMM,
	EVENT_EXEC,
	EVENT_MMAP,
	EVENT_CODE_BEGIN, /* code has come into the kernel: start, len, name */
	EVENT_CODE_END,
	EVENT_LOST,
};

struct event {
	enum event_kind kind;
	uint64_t t_ns;
	pid_t tgid, tid, parent_tgid;
	const char *name; /* comm, path or symbol; points into the record */
	uint64_t start, len, file_off;
	struct file_key file;
	uint64_t lost;
};

/* One whole record. 0, or -EBADMSG with nothing written. */
int event_parse(struct event *out, const void *record, size_t len);

/* What is about processes. Files may be NULL: then files are not told from each other, and count as anonymous. */
void event_apply(const struct event *e, struct procs *p, struct files *f);

#endif
