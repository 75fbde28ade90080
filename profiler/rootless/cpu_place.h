/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the thread that stops others runs. If it wakes on the CPU of the one that it will stop, that one is interrupted
 * wherever it is. A stop that is asked for from another CPU comes microseconds later, and a system call that begins
 * meanwhile ends in it: programs that call the kernel often would be found there too often. Internal to the room.
 */
#ifndef KILN_ROOTLESS_CPU_PLACE_H
#define KILN_ROOTLESS_CPU_PLACE_H

#include <sched.h>
#include <stdbool.h>

#define CPU_PLACE_ANY (-1)

struct cpu_place {
	cpu_set_t allowed; /* empty: unknown, and the thread stays wherever it is put */
	int at;		   /* the only CPU that it may run on now, or CPU_PLACE_ANY */
};

/* Of the calling thread, as for what follows. */
void cpu_place_init(struct cpu_place *p);
/* Runs on this CPU from now on, if it may: true; else on any. */
bool cpu_place_go(struct cpu_place *p, int cpu);

#endif
