/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What processes of a profile are called. A sample's label is its thread's name, and a program's threads have many. */
#ifndef KILN_PROFILE_PROCESSES_H
#define KILN_PROFILE_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/profile/profile.h"

/* What is shown of samples that are of none. */
#define NO_PROCESS "[no process]"

struct buf;

struct processes {
	/* By label set of the profile; both borrowed from it, "" without. */
	struct process_names {
		const char *process, *command;
	} * names;
};

/*
 * A process is what one pid on a host ran of one executable: numbers are given again, and one process may become
 * another program (exec). Of samples without an executable the name of the main thread tells programs apart;
 * other threads are of the program of their name, else of the heaviest of the pid.
 * A process is called as its main thread; of several names that which most time was spent under. Where no sample is of
 * that thread it is called as its executable, else as most of its time, if there is any without a number ("java", not
 * "GC Thread#0").
 * A command is the process's name, but that of the main thread's own samples is their own: a shell that became a
 * compiler was both. 0 or -ENOMEM.
 */
int processes_load(struct processes *out, const struct profile *p);
/* Whether the samples are of more than one command. */
bool processes_have_commands(const struct processes *s, const struct profile *p);
/*
 * Appends what the people who run a program call it, where its file has another name: " (redis-server)" of
 * redis-check-rdb. It is the command that has nine tenths of the time of stacks with frames of this module. Nothing if
 * none has, if its name says the same, or nothing; of libraries; and out of memory. Clean text.
 */
void processes_add_alias(struct buf *out, const struct processes *s, const struct profile *p,
			 const char *module);
void processes_release(struct processes *s);

#endif
