/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities (capabilities(7)). They are a thread's, so these functions concern the calling thread and those that it
 * starts from then on. */
#ifndef KILN_BASE_PRIVILEGES_H
#define KILN_BASE_PRIVILEGES_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

/* The C library may lack these. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

#define PRIVILEGE(cap) (1ull << (cap))

/* What sampling takes, and tools/kiln-agent.service grants: other users' processes and files; symbols of the kernel. */
#define PRIVILEGES_SAMPLING                                                                        \
	(PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_PERFMON) | PRIVILEGE(CAP_SYS_PTRACE) |                 \
	 PRIVILEGE(CAP_SYSLOG) | PRIVILEGE(CAP_DAC_READ_SEARCH) |                                  \
	 PRIVILEGE(CAP_CHECKPOINT_RESTORE))

struct privileges { /* bits: PRIVILEGE() */
	uint64_t in_force, permitted;
};

/* 0 or -errno. */
int privileges_get(struct privileges *out);
/* Those of no other set stay: a program that is executed inherits none. 0 or -errno. */
int privileges_set(const struct privileges *p);
/* Keeps these of those that are permitted, and puts these of them in force; no ambient ones. 0 or -errno. */
int privileges_keep(uint64_t permitted, uint64_t in_force);
/* Leaves these in the bounding set. Who may not change that has little in it, or gains nothing by it: nothing is
 * executed. */
void privileges_bound(uint64_t keep);
/* Puts these of those that are permitted in force, and no others. */
void privileges_raise(uint64_t in_force);

/* For a recording whose programs are loaded: what sampling takes stays, and what writing its output takes stays
 * permitted. An exec gives none. 0 or -errno. */
int privileges_record(void);
/* Puts in force what opening and writing the output takes: of kiln's file's privileges none, since who runs it may write
 * what is his own. Returns what was in force before, for privileges_set(). */
struct privileges privileges_write_output(void);

/* Whether privileges are those of kiln's file (capabilities, a set-user-ID bit) and not of who runs it. The kernel says
 * so by AT_SECURE (getauxval(3)). */
bool privileges_are_of_the_file(void);
/* Removes KILN_* from the environment: who runs kiln chooses neither what it makes of the kernel's memory nor where
 * its files are. */
void privileges_distrust_environment(void);
/* Whether this process has a capability that loading BPF programs takes. */
bool privileges_may_load_bpf(void);
/* Gives up all capabilities for good, and lets its user look at this process. 0 or -errno. */
int privileges_drop(void);

#endif
