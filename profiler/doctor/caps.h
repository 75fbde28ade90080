/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities kiln needs, and how somebody who lacks one gets it. */
#ifndef KILN_DOCTOR_CAPS_H
#define KILN_DOCTOR_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* name, number (linux/capability.h; spelled out, as older headers lack the newer ones), use */
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

/* All of them, as setcap(8) and systemd write them. */
#define CAPS_SETCAP                                                                                \
	"cap_bpf,cap_perfmon,cap_sys_ptrace,cap_syslog,cap_dac_read_search,cap_checkpoint_"        \
	"restore+ep"

struct caps {
	uint64_t effective, bounding;
	bool initial_userns; /* capabilities of another user namespace do not count for BPF and perf */
	bool seccomp;	     /* a filter is active, as in most containers */
	bool root;
};

/* Of this process. 0 or -errno. */
int caps_get(struct caps *c);
/* The same from the texts of /proc/self/status and /proc/self/uid_map. */
void caps_parse(struct caps *c, const char *status, const char *uid_map);

/*
 * Appends what to do so that these capabilities (a mask) are there; program is the path for setcap.
 * If they are all there already, what else may refuse.
 */
void caps_cure(const struct caps *c, uint64_t wanted, const char *program, struct buf *out);

#endif
