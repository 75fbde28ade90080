/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stops.c sees, told as perf would: records of processes, mappings and samples in a ring. Internal to the room.
 */
#ifndef KILN_ROOTLESS_TELL_H
#define KILN_ROOTLESS_TELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/vec.h"

struct record_ring;
struct stopped;

void tell_fork(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid, pid_t parent_tgid);
void tell_exit(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid);
void tell_comm(struct record_ring *r, uint64_t t_ns, pid_t tgid, pid_t tid, const char *comm,
	       bool exec);
/* A sample that stands for so much CPU time. */
void tell_sample(struct record_ring *r, pid_t tgid, pid_t tid, uint64_t ns, struct stopped *s);

/* Executable mappings of a process that were told, by address. All-zero: none. */
struct told_map {
	uint64_t start, end, file_off, inode;
};
struct told_maps {
	VEC(struct told_map) all;
};

/* Reads /proc/PID/maps, and tells what is new. */
void tell_maps(struct record_ring *r, uint64_t t_ns, pid_t tgid, struct told_maps *told);
bool told_maps_have(const struct told_maps *told, uint64_t va);

#endif
