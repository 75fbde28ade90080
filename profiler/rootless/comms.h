/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of threads, by their ids, as events tell them. Internal to the room. */
#ifndef KILN_ROOTLESS_COMMS_H
#define KILN_ROOTLESS_COMMS_H

#include <sys/types.h>

#include "bpf/abi.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"

/* All-zero is empty. */
struct comms {
	VEC(struct comm {
		pid_t tid;
		char name[KILN_COMM_LEN];
	})
	all;
	struct htab index;
};

/* The name of a thread, filled up with NUL; "" if it is not known. */
void comms_copy(const struct comms *c, pid_t tid, char name[KILN_COMM_LEN]);
/* At the cap, and out of memory, a thread stays without a name. */
void comms_set(struct comms *c, pid_t tid, const char *name);
void comms_drop(struct comms *c, pid_t tid);
/* Reads the names of a process's threads. */
void comms_read(struct comms *c, pid_t tgid);
void comms_release(struct comms *c);

#endif
