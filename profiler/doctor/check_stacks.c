// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks whether user stacks are walked by unwind tables here (check_sampler.c), and whose stacks
 * among the running programs would be cut. Libraries are not checked: a recording blames those that
 * cut stacks.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/doctor/doctor.h"
#include "symbolizer/worker/table_worker.h"

/* Programs to check, and to name in a finding. */
#define PROGRAMS_MAX 4096
#define NAMED_MAX    5
#define CMDLINE_CAP  (1u << 20)

struct program {
	uint64_t dev, ino;
};

struct stacks_survey {
	struct table_worker *files; /* NULL: out of memory */
	VEC(struct program) seen;
	struct buf undescribed, frameless; /* names and pids */
	int n_undescribed, n_frameless;
};

static void name_it(struct buf *list, int *n, const char *pid)
{
	char path[64], comm[32] = "?";

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	io_read_line(path, comm, sizeof(comm));
	if ((*n)++ < NAMED_MAX) {
		buf_str(list, list->len ? ", " : "");
		text_add_clean(list, comm, strlen(comm));
		buf_printf(list, " (pid %s)", pid);
	} else if (*n == NAMED_MAX + 1) {
		buf_str(list, ", ...");
	}
}

/* True for a file that was not seen before. */
static bool is_new(struct stacks_survey *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || s->seen.len >= PROGRAMS_MAX)
		return false;
	for (size_t i = 0; i < s->seen.len; i++)
		if (s->seen.data[i].dev == st.st_dev && s->seen.data[i].ino == st.st_ino)
			return false;
	return !vec_push(&s->seen, (struct program){st.st_dev, st.st_ino});
}

/* Takes the descriptor. An unreadable file counts as good here; other checks report it. */
static bool describes_frames(struct stacks_survey *s, int fd)
{
	int err = s->files ? table_worker_described(s->files, SYM_FILE_OF(fd)) : 0;

	close(fd);
	return err != -ENODATA;
}

/* Java's compiler uses rbp otherwise unless an option forbids it. */
static bool is_frameless_java(const char *pid, const char *exe)
{
	_cleanup_free_ char *cmdline = NULL;
	const char *base = strrchr(exe, '/');
	char path[64];
	size_t len;

	if (!base || strcmp(base, "/java"))
		return false;
	snprintf(path, sizeof(path), "/proc/%.16s/cmdline", pid);
	return !io_read_file(path, CMDLINE_CAP, &cmdline, &len) &&
	       !memmem(cmdline, len, "+PreserveFramePointer", 21);
}

static void try_program(struct stacks_survey *s, const char *pid)
{
	char path[64], exe[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n < 0 ? 0 : n] = '\0';
	fd = n < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return; /* a kernel thread, or it ended */
	if (is_frameless_java(pid, exe))
		name_it(&s->frameless, &s->n_frameless, pid);
	if (!is_new(s, fd))
		close(fd);
	else if (!describes_frames(s, fd))
		name_it(&s->undescribed, &s->n_undescribed, pid);
}

static void report(struct doctor *d, struct stacks_survey *s)
{
	struct buf cure;

	if (s->n_undescribed) {
		cure = doctor_cure("rebuild with -fasynchronous-unwind-tables, or with "
				   "-fno-omit-frame-pointer and record with --unwind fp");
		doctor_add(d, FINDING_warn, "stacks", &cure,
			   "programs without call frame information cut off stacks: %s",
			   buf_cstr(&s->undescribed));
	}
	if (s->n_frameless) {
		cure = doctor_cure("java -XX:+PreserveFramePointer");
		doctor_add(d, FINDING_warn, "stacks", &cure,
			   "Java without frame pointers cuts off stacks in compiled code: %s",
			   buf_cstr(&s->frameless));
	}
	if (s->n_undescribed || s->n_frameless)
		return;
	if (d->cannot_sample)
		doctor_add(d, FINDING_info, "stacks", NULL,
			   "the %zu running programs have call frame information; the "
			   "unwinder could not be tried",
			   s->seen.len);
	else
		doctor_add(d, FINDING_ok, "stacks", NULL,
			   "the stacks of the %zu running programs can be unwound", s->seen.len);
}

static void report_no_tables(struct doctor *d)
{
	struct buf cure = doctor_cure("update the kernel, or kiln; meanwhile build programs with "
				      "-fno-omit-frame-pointer");

	doctor_add(
		d, FINDING_warn, "stacks", &cure,
		"stacks are cut off in programs without frame pointers, because unwind tables are "
		"not used: %s",
		d->refused.tables);
}

void check_stacks(struct doctor *d)
{
	struct table_worker_opts opts = {.sandbox = true}, here = {0};
	struct stacks_survey s = {0};
	const struct dirent *e;
	DIR *proc;

	if (d->refused.tables[0]) {
		report_no_tables(d);
		return;
	}
	proc = opendir("/proc");
	if (table_worker_new(&s.files, &opts) && table_worker_new(&s.files, &here))
		s.files = NULL;
	while (proc && (e = readdir(proc)))
		if (isdigit((unsigned char)*e->d_name))
			try_program(&s, e->d_name);
	if (proc)
		closedir(proc);
	report(d, &s);
	table_worker_free(s.files);
	vec_release(&s.seen);
	buf_release(&s.undescribed);
	buf_release(&s.frameless);
}
