/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's version, and what this version lacks or breaks. */
#ifndef KILN_BASE_KERNEL_H
#define KILN_BASE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct kernel_version {
	unsigned major, minor, patch;
};

/* The upstream version of the running kernel, even if a distribution hides it. 0 or -errno. */
int kernel_version_get(struct kernel_version *v);

/*
 * Does the same with given texts: uname's release and version (Debian puts "6.1.76-1" into the
 * latter), and /proc/version_signature (Ubuntu: its last word; NULL: absent). 0 or -EINVAL.
 */
int kernel_version_parse(struct kernel_version *v, const char *release, const char *version,
			 const char *signature);

static inline bool kernel_at_least(const struct kernel_version *v, unsigned major, unsigned minor)
{
	return v->major > major || (v->major == major && v->minor >= minor);
}

/* True from 6.4 on. There a BPF program can read the mappings of the sampled process and notice
 * changes (mm_lock_seq). */
static inline bool kernel_can_report_mappings(const struct kernel_version *v)
{
	return kernel_at_least(v, 6, 4);
}

/*
 * True if bpf_probe_read_user() in the perf interrupt can lock the machine up: 5.19 to 6.1.35, 6.2,
 * and 6.3 to 6.3.9. There copy_from_user_nofault() checks the destination under
 * CONFIG_HARDENED_USERCOPY. The check takes vmap_area_lock, which the interrupted code may hold
 * (github.com/parca-dev/parca-agent/issues/1675).
 */
bool kernel_walk_can_lock_up(const struct kernel_version *v);

/* Inode of this process's pid namespace; 0: it is the initial one, or not known. */
uint32_t kernel_pid_namespace(void);

/* Whether /proc has the numbers of this process's pid namespace. */
bool kernel_proc_is_own(void);

/* How far CLOCK_BOOTTIME is ahead here of the kernel's own, which perf events and BPF programs have: not 0
 * in a time namespace (time_namespaces(7)). */
int64_t kernel_boottime_offset_ns(void);
int64_t kernel_monotonic_offset_ns(void); /* of CLOCK_MONOTONIC */
/* How far CLOCK_MONOTONIC of another process is ahead of this one's, as /proc says; 0 if that is not known. */
int64_t kernel_monotonic_ahead_ns(pid_t tgid);
/* The offset of a clock ("boottime", "monotonic") by the text of /proc/PID/timens_offsets. */
int64_t kernel_parse_clock_offset(const char *text, const char *clock);

/* Whether kernel.perf_event_paranoid is above 2. Kernels of Debian and Ubuntu then open perf events only for
 * CAP_SYS_ADMIN, whoever has CAP_PERFMON. */
bool kernel_perf_wants_admin(void);

#endif
