// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks what can be read of other processes: mappings and files, also deleted files. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/kernel.h"
#include "profiler/doctor/doctor.h"

/* Processes to try until one has mappings. Kernel threads have none. */
#define MAX_TRIED 2000

/* Whether /proc/PID/maps has content: 1, 0 (a kernel thread, or it ended), or -errno. */
static int has_maps(const char *pid)
{
	char path[300], first;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;
	n = io_pread(fd, &first, 1, 0);
	return n == -ESRCH ? 0 : (int)n;
}

struct survey {
	int readable[2], denied[2]; /* [1]: of other users */
	long pid;		    /* a process that was denied */
	uid_t uid;
	int err;
};

static void try_process(struct survey *s, const char *name, DIR *proc)
{
	bool is_other;
	struct stat st;
	int r;

	if (!isdigit((unsigned char)*name) || atol(name) == getpid() ||
	    fstatat(dirfd(proc), name, &st, 0))
		return;
	r = has_maps(name);
	is_other = st.st_uid != geteuid();
	if (r > 0)
		s->readable[is_other]++;
	if (r >= 0)
		return;
	s->denied[is_other]++;
	s->pid = atol(name);
	s->uid = st.st_uid;
	s->err = r;
}

/*
 * Also tries root's own processes. Without CAP_SYS_PTRACE they are closed, too, if they have more
 * capabilities than kiln (ptrace(2), "Ptrace access mode checking").
 */
void check_other_processes(struct doctor *d)
{
	DIR *proc = opendir("/proc");
	struct survey s = {0};
	struct dirent *e;
	int denied, readable;
	struct buf cure;

	for (int tried = 0; proc && tried < MAX_TRIED && (e = readdir(proc)); tried++)
		try_process(&s, e->d_name, proc);
	if (proc)
		closedir(proc);
	denied = s.denied[0] + s.denied[1];
	readable = s.readable[0] + s.readable[1];
	if (!denied) {
		doctor_add(d, readable ? FINDING_ok : FINDING_info, "other processes", NULL,
			   readable ? "/proc/PID/maps of %d can be read%s"
				    : "there are no other processes to try",
			   readable, s.readable[1] ? ", other users' too" : "");
		return;
	}
	cure = doctor_caps_cure(d, CAP_MASK(sys_ptrace));
	doctor_add(
		d, !readable || (s.denied[1] && !s.readable[1]) ? FINDING_fail : FINDING_warn,
		"other processes", &cure,
		"/proc/PID/maps of %d of %d cannot be read (pid %ld of uid %u: %s): their frames "
		"have no names",
		denied, denied + readable, s.pid, (unsigned)s.uid, strerror(-s.err));
}

/* Tries a file without permission bits: its owner can open it only by a capability. */
void check_other_files(struct doctor *d)
{
	_cleanup_close_ int fd = memfd_create("kiln_doctor", MFD_CLOEXEC), again = -1;
	struct buf cure;
	char path[64];

	if (fd < 0 || fchmod(fd, 0))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	if (again >= 0) {
		doctor_add(d, FINDING_ok, "other users' files", NULL,
			   "binaries can be read whatever their mode");
		return;
	}
	cure = doctor_caps_cure(d, CAP_MASK(dac_read_search));
	doctor_add(d, FINDING_warn, "other users' files", &cure,
		   "frames of binaries that are not world-readable have no names");
}

/* Path in map_files of this process's first mapping. */
static int own_mapping(char *path, size_t size)
{
	char line[256];
	int err = io_read_line("/proc/self/maps", line, sizeof(line));
	char *end = err ? NULL : strchr(line, ' ');

	if (!end)
		return err ? err : -EINVAL;
	*end = '\0';
	snprintf(path, size, "/proc/self/map_files/%.64s", line);
	return 0;
}

void check_deleted_files(struct doctor *d)
{
	_cleanup_close_ int fd = -1;
	struct buf cure;
	char path[128];

	if (own_mapping(path, sizeof(path)))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		doctor_add(d, FINDING_ok, "deleted files", NULL,
			   "replaced and deleted binaries can be opened");
		return;
	}
	cure = errno == ENOENT ? doctor_cure("a kernel with CONFIG_CHECKPOINT_RESTORE=y")
			       : doctor_caps_cure(d, CAP_MASK(checkpoint_restore));
	doctor_add(
		d, FINDING_warn, "deleted files", &cure,
		"/proc/PID/map_files: %s; frames of binaries replaced while they run have no names",
		strerror(errno));
}

void check_namespaces(struct doctor *d)
{
	struct buf cure;

	if (!d->caps.initial_userns)
		doctor_add(d, FINDING_info, "user namespace", NULL,
			   "kiln runs inside one, where its capabilities do not count for BPF and "
			   "perf");
	if (!kernel_pid_namespace())
		return;
	cure = doctor_cure("docker run --pid=host; Kubernetes: hostPID: true");
	doctor_add(d, FINDING_warn, "pid namespace", &cure,
		   "kiln samples only the processes of its container");
}
