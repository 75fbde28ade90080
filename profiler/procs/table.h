/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What procs_scan() read of one process, and the door through which it enters the table. Apart from
 * it no reader of /proc touches the table. Internal to profiler/procs.
 */
#ifndef KILN_PROCS_TABLE_H
#define KILN_PROCS_TABLE_H

#include "profiler/procs/procs.h"

struct scanned {
	pid_t tgid, parent_tgid, ns_tgid;
	uint32_t uid;
	/* /proc/PID/stat gives the start in clock ticks: at most one tick before the truth. */
	uint64_t start_ns;
	uint64_t now_ns; /* what the mappings are stamped with */
	/* Clock before and after reading. Events stamped in between may be in what was read or not. */
	uint64_t from_ns, to_ns;
	char comm[16];
	const pid_t *tids; /* all but the leader's */
	size_t n_tids;
	bool leader_gone; /* the main thread has exited, others run */
	const struct proc_mapping *mappings;
	size_t n_mappings;
	uint32_t exe; /* file id, or FILE_NONE */
};

/* 0 or -ENOMEM. */
int procs_add_scanned(struct procs *p, const struct scanned *s);

struct files *procs_files(const struct procs *p);

#endif
