// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/kernel.h"

static bool parse_dotted(struct kernel_version *v, const char *text)
{
	struct kernel_version r = {0};
	int n = sscanf(text, "%4u.%4u.%4u", &r.major, &r.minor, &r.patch);

	if (n < 2)
		return false;
	*v = r;
	return true;
}

int kernel_version_parse(struct kernel_version *v, const char *release, const char *version,
			 const char *signature)
{
	const char *debian = strstr(version, "Debian "), *last;

	if (signature && (last = strrchr(signature, ' ')) && parse_dotted(v, last + 1))
		return 0;
	if (debian && parse_dotted(v, debian + strlen("Debian ")))
		return 0;
	return parse_dotted(v, release) ? 0 : -EINVAL;
}

int kernel_version_get(struct kernel_version *v)
{
	char signature[256];
	struct utsname u;
	int err;

	if (uname(&u))
		return -errno;
	err = io_read_line("/proc/version_signature", signature, sizeof(signature));
	return kernel_version_parse(v, u.release, u.version, err ? NULL : signature);
}

bool kernel_walk_can_lock_up(const struct kernel_version *v)
{
	if (v->major == 5)
		return v->minor >= 19;
	if (v->major != 6)
		return false;
	switch (v->minor) {
	case 0:
	case 2:
		return true;
	case 1:
		return v->patch <= 35;
	case 3:
		return v->patch <= 9;
	default:
		return false;
	}
}

/* include/linux/proc_ns.h: PROC_PID_INIT_INO */
#define INITIAL_PIDNS 0xeffffffcu

uint32_t kernel_pid_namespace(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == INITIAL_PIDNS)
		return 0;
	return (uint32_t)st.st_ino;
}

bool kernel_proc_is_own(void)
{
	char self[32];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	return atoi(self) == getpid();
}

int64_t kernel_parse_clock_offset(const char *text, const char *clock)
{
	const char *line = strstr(text, clock);
	long long s, ns;

	if (!line || sscanf(line + strlen(clock), "%lld %lld", &s, &ns) != 2)
		return 0;
	return (int64_t)s * (int64_t)NS_PER_S + ns;
}

/* Inode of a time namespace in a process's /proc; 0: not known. */
static ino_t time_namespace(const char *proc, const char *which)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/ns/%s", proc, which);
	return stat(path, &st) ? 0 : st.st_ino;
}

static int64_t clock_offset(const char *proc, const char *clock)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "%s/timens_offsets", proc);
	/* The offsets are those of future children. */
	if (time_namespace(proc, "time") != time_namespace(proc, "time_for_children") ||
	    io_read_file(path, 4096, &text, &len))
		return 0;
	return kernel_parse_clock_offset(text, clock);
}

int64_t kernel_boottime_offset_ns(void)
{
	return clock_offset("/proc/self", "boottime");
}

int64_t kernel_monotonic_offset_ns(void)
{
	return clock_offset("/proc/self", "monotonic");
}

int64_t kernel_monotonic_ahead_ns(pid_t tgid)
{
	char proc[32];

	snprintf(proc, sizeof(proc), "/proc/%d", tgid);
	if (time_namespace(proc, "time") == time_namespace("/proc/self", "time"))
		return 0;
	return clock_offset(proc, "monotonic") - kernel_monotonic_offset_ns();
}

bool kernel_perf_wants_admin(void)
{
	char level[16];

	return !io_read_line("/proc/sys/kernel/perf_event_paranoid", level, sizeof(level)) &&
	       atoi(level) > 2;
}
