/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities that kiln needs, and how to get them. */
#ifndef KILN_DOCTOR_CAPS_H
#define KILN_DOCTOR_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* Name, number and use. Numbers are of linux/capability.h; older headers lack the newer ones. */
#define CAPS(X)                                                                                    \
	X(bpf, 39, "load BPF programs and create maps")                                            \
	X(perfmon, 38, "sample all processes and the kernel")                                      \
	X(sys_ptrace, 19, "read other users' /proc/PID/maps")                                      \
	X(syslog, 34, "read kernel symbols")                                                       \
	X(dac_read_search, 2, "read other users' binaries")                                        \
	X(checkpoint_restore, 40, "open deleted binaries through /proc/PID/map_files")

enum {
#define X(name, number, use) CAP_BIT_##name = number,
	CAPS(X)
#undef X
};
#define CAP_MASK(name) (1ull << CAP_BIT_##name)

/* All of them, in the notation of setcap(8) and systemd. */
#define CAPS_SETCAP                                                                                \
	"cap_bpf,cap_perfmon,cap_sys_ptrace,cap_syslog,cap_dac_read_search,cap_checkpoint_"        \
	"restore+ep"

/* Who may run the copy of kiln that has them, and where it is. */
#define CAPS_GROUP "kiln-users"
#define CAPS_COPY  "/usr/local/bin/kiln-all"

struct caps {
	uint64_t effective, bounding;
	/* In another user namespace, capabilities do not count for BPF and perf. */
	bool initial_userns;
	bool seccomp; /* a filter is active, as in most containers */
	bool root;
};

/* Reads those of this process. 0 or -errno. */
int caps_get(struct caps *c);
/* Does the same from the texts of /proc/self/status and /proc/self/uid_map. */
void caps_parse(struct caps *c, const char *status, const char *uid_map);

/*
 * Appends how to get these capabilities (a mask). `program` is the path for setcap. If the process
 * has them all, appends what else may refuse.
 */
void caps_cure(const struct caps *c, uint64_t wanted, const char *program, struct buf *out);

#endif
