// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks the machine: kernel, lockdown, symbols, mounts, limits, directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/doctor/doctor.h"

#define MOUNTS_CAP   (1024 * 1024)
#define LEAST_FREE   (64ull << 20) /* a day's profiles of a busy machine take some 10 MiB */
#define BTF_MAGIC    0xeb9f
#define SYMBOLS_HEAD 4096 /* some fifty symbols, to see whether addresses are zero */

/* --- kernel ------------------------------------------------------------------------------------ */

static bool has_btf(void)
{
	_cleanup_close_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	uint16_t magic = 0;

	return fd >= 0 && io_pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) &&
	       magic == BTF_MAGIC;
}

void check_kernel(struct doctor *d)
{
	const struct kernel_version *v = &d->kernel;
	struct buf cure;

	if (!has_btf()) {
		cure = doctor_cure("a kernel with CONFIG_DEBUG_INFO_BTF=y, and /sys mounted");
		d->cannot_sample = true;
		doctor_add(d, FINDING_fail, "kernel", &cure,
			   "%u.%u.%u without BTF (/sys/kernel/btf/vmlinux)", v->major, v->minor,
			   v->patch);
		return;
	}
	if (!kernel_at_least(v, 5, 10)) {
		cure = doctor_cure("a kernel of 5.10 or newer");
		doctor_add(d, FINDING_warn, "kernel", &cure, "%u.%u.%u is older than kiln supports",
			   v->major, v->minor, v->patch);
		return;
	}
	if (kernel_walk_can_lock_up(v)) {
		cure = doctor_cure("update to 6.1.36, 6.3.10 or newer");
		doctor_add(d, FINDING_warn, "kernel", &cure,
			   "%u.%u.%u can lock up when a sampling interrupt reads user "
			   "memory",
			   v->major, v->minor, v->patch);
		return;
	}
	doctor_add(d, FINDING_ok, "kernel", NULL, "%u.%u.%u with BTF", v->major, v->minor,
		   v->patch);
}

/* "none [integrity] confidentiality": brackets mark the current level. */
void check_lockdown(struct doctor *d)
{
	char text[128], *level, *end;
	struct buf cure;

	if (io_read_line("/sys/kernel/security/lockdown", text, sizeof(text)))
		return; /* no lockdown in this kernel, or securityfs is not mounted */
	level = strchr(text, '[');
	end = level ? strchr(level, ']') : NULL;
	if (!end)
		return;
	*end = '\0';
	level++;
	if (strcmp(level, "confidentiality")) {
		doctor_add(d, FINDING_ok, "lockdown", NULL, "%s", level);
		return;
	}
	cure = doctor_cure("boot with lockdown=integrity, or without secure boot");
	doctor_add(d, FINDING_fail, "lockdown", &cure,
		   "confidentiality: BPF programs may not read kernel memory");
}

static bool symbols_have_addresses(const char *text)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strtoull(line, NULL, 16))
			return true;
	}
	return false;
}

void check_kernel_symbols(struct doctor *d)
{
	_cleanup_close_ int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	char text[SYMBOLS_HEAD + 1] = "", restrict_level[16] = "?";
	ssize_t n = fd < 0 ? -errno : io_pread(fd, text, SYMBOLS_HEAD, 0);
	struct buf cure;

	if (n > 0 && symbols_have_addresses(text)) {
		doctor_add(d, FINDING_ok, "kernel symbols", NULL, "/proc/kallsyms has addresses");
		return;
	}
	if (n <= 0) {
		cure = doctor_cure("a kernel with CONFIG_KALLSYMS=y");
		doctor_add(d, FINDING_warn, "kernel symbols", &cure,
			   "/proc/kallsyms: %s; kernel frames stay unnamed",
			   n < 0 ? strerror((int)-n) : "empty");
		return;
	}
	io_read_line("/proc/sys/kernel/kptr_restrict", restrict_level, sizeof(restrict_level));
	cure = !strcmp(restrict_level, "2") ? doctor_cure("sysctl kernel.kptr_restrict=1")
					    : doctor_caps_cure(d, CAP_MASK(syslog));
	doctor_add(d, FINDING_warn, "kernel symbols", &cure,
		   "/proc/kallsyms reads as zeros (kptr_restrict=%s): kernel frames stay unnamed",
		   restrict_level);
}

/* --- mounts ------------------------------------------------------------------------------------ */

/* Finds the first mount of this type and copies its mount point to out. */
static bool find_mount(const char *type, char *out, size_t size)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	size_t len;

	if (io_read_file("/proc/self/mounts", MOUNTS_CAP, &text, &len))
		return false;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *word = NULL, *where;

		strtok_r(line, " ", &word);
		where = strtok_r(NULL, " ", &word);
		line = strtok_r(NULL, " ", &word);
		if (where && line && !strcmp(line, type)) {
			snprintf(out, size, "%s", where);
			return true;
		}
	}
	return false;
}

void check_cgroups(struct doctor *d)
{
	char v2[512], v1[512];
	struct buf cure;

	if (!find_mount("cgroup2", v2, sizeof(v2))) {
		cure = doctor_cure("mount -t cgroup2 none /sys/fs/cgroup");
		doctor_add(d, FINDING_warn, "cgroups", &cure,
			   "no cgroup v2 mount: --cgroup, --unit and --container do not work");
		return;
	}
	if (strcmp(v2, "/sys/fs/cgroup") && find_mount("cgroup", v1, sizeof(v1)))
		doctor_add(d, FINDING_info, "cgroups", NULL, "hybrid: v2 at %s", v2);
	else
		doctor_add(d, FINDING_ok, "cgroups", NULL, "v2 at %s", v2);
}

void check_tracefs(struct doctor *d)
{
	static const char *const ids[] = {
		"/sys/kernel/tracing/events/sched/sched_switch/id",
		"/sys/kernel/debug/tracing/events/sched/sched_switch/id",
	};
	struct buf cure;

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		char id[32];

		if (!io_read_line(ids[i], id, sizeof(id))) {
			doctor_add(d, FINDING_ok, "tracefs", NULL, "tracepoints can be looked up");
			return;
		}
	}
	cure = doctor_cure("mount -t tracefs nodev /sys/kernel/tracing");
	doctor_add(d, FINDING_info, "tracefs", &cure,
		   "not mounted or not readable: tracepoint names cannot be looked up");
}

/* --- limits and directories -------------------------------------------------------------------- */

/* Before 5.11 BPF memory counts against RLIMIT_MEMLOCK, later against the cgroup's limit. */
void check_memlock(struct doctor *d)
{
	struct rlimit limit;
	struct buf cure;

	if (kernel_at_least(&d->kernel, 5, 11) || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= 256u << 20)
		return;
	cure = doctor_cure("ulimit -l unlimited; systemd: LimitMEMLOCK=infinity");
	doctor_add(d, FINDING_warn, "memlock", &cure,
		   "at most %" PRIu64 " KiB for BPF maps: loading may fail",
		   (uint64_t)limit.rlim_max / 1024);
}

/* Number of entries of a directory, at most `most`. */
static size_t count_entries(const char *path, size_t most)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	while (dir && n < most && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n > 2 ? n - 2 : 0; /* . and .. */
}

void check_debuginfo(struct doctor *d)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	size_t n = count_entries("/usr/lib/debug/.build-id", 100);

	doctor_add(d, FINDING_info, "debug info", NULL, "/usr/lib/debug: %s; DEBUGINFOD_URLS: %s",
		   n ? "debug files by build id" : "no debug packages",
		   urls && *urls ? urls : "unset");
}

void check_directory(struct doctor *d)
{
	char name[] = "./.kiln-doctor.XXXXXX", *cwd = getcwd(NULL, 0);
	_cleanup_free_ char *path = cwd;
	_cleanup_close_ int fd = mkostemp(name, O_CLOEXEC);
	struct statvfs fs;
	struct buf cure;

	if (fd < 0) {
		cure = doctor_cure("cd elsewhere, or kiln record -o FILE");
		doctor_add(d, FINDING_warn, "directory", &cure, "cannot write in %s: %s",
			   path ? path : "the current directory", strerror(errno));
		return;
	}
	unlink(name);
	if (!fstatvfs(fd, &fs) && (uint64_t)fs.f_bavail * fs.f_frsize < LEAST_FREE) {
		cure = doctor_cure("make room, or kiln record -o FILE");
		doctor_add(d, FINDING_warn, "directory", &cure, "%s has only %" PRIu64 " MiB free",
			   path ? path : "the current directory",
			   (uint64_t)fs.f_bavail * fs.f_frsize >> 20);
		return;
	}
	doctor_add(d, FINDING_ok, "directory", NULL, "profiles can be written in %s",
		   path ? path : "the current directory");
}
