// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks whether user stacks are walked by unwind tables here (check_sampler.c), and whose stacks
 * among the running programs would be cut. Libraries are not checked: a recording blames those that
 * cut stacks.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/doctor/doctor.h"
#include "profiler/procs/maps.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/worker/table_worker.h"

/* Programs to check, and to name in a finding. */
#define PROGRAMS_MAX 4096
#define NAMED_MAX    5
#define CMDLINE_CAP  (1u << 20)
#define MAPS_CAP     (16u << 20)

struct program {
	uint64_t inode;
	uint32_t major, minor;
};

/* Programs belong to strangers, so an expendable process opens them. */
struct stacks_survey {
	struct opener *opener;
	struct table_worker *tables;
	VEC(struct program) seen;
	struct buf undescribed, frameless, hung; /* names and pids */
	int n_undescribed, n_frameless, n_hung;
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
static bool is_new(struct stacks_survey *s, const struct maps_entry *e)
{
	const struct program *p;

	if (s->seen.len >= PROGRAMS_MAX)
		return false;
	for (p = s->seen.data; p < s->seen.data + s->seen.len; p++)
		if (p->inode == e->inode && p->major == e->major && p->minor == e->minor)
			return false;
	return !vec_push(&s->seen, (struct program){e->inode, e->major, e->minor});
}

struct exe_search {
	const char *exe;
	struct maps_entry found;
	bool has;
};

static int match_exe(void *ctx, const struct maps_entry *e)
{
	struct exe_search *search = ctx;

	if (strcmp(e->path, search->exe) != 0)
		return 0;
	search->found = *e;
	search->has = true;
	return 1;
}

/* The program's own code among the mappings. False if it ended, or may not be read. */
static bool find_exe(struct exe_search *search, const char *pid)
{
	_cleanup_free_ char *maps = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%.16s/maps", pid);
	if (io_read_file(path, MAPS_CAP, &maps, &len))
		return false;
	maps_parse(maps, len, match_exe, search);
	return search->has;
}

/* Whether the program describes its frames: 0, -ENODATA if not, or why it cannot be looked at. */
static int look_at(struct stacks_survey *s, const char *pid, const struct maps_entry *exe)
{
	struct open_request req = {
		.path = exe->path,
		.major = exe->major,
		.minor = exe->minor,
		.inode = exe->inode,
		.tgid = (pid_t)atol(pid),
		.va_start = exe->start,
		.va_end = exe->end,
		.root_fd = -1,
	};
	struct opened got;
	int err;

	opener_mapped(s->opener, &req, 0, &got);
	if (got.err)
		return got.err;
	err = table_worker_described(s->tables, &(struct sym_file){
							.fd = -1,
							.root_fd = -1,
							.path = exe->path,
							.held = &got.file,
							.uid = got.file.uid,
						});
	opener_close(s->opener, got.file.number);
	opener_close(s->opener, got.file.root);
	return err;
}

/* Whoever opened or read it had to be killed. */
static bool has_hung(int err)
{
	return err == -ETIMEDOUT || err == -EHOSTDOWN || err == -EBUSY || err == -ECONNABORTED;
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
	struct exe_search search = {0};
	char path[64], exe[MAPS_PATH_MAX];
	ssize_t n;
	int err;

	snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return; /* a kernel thread, or it ended */
	exe[n] = '\0';
	search.exe = exe;
	if (is_frameless_java(pid, exe))
		name_it(&s->frameless, &s->n_frameless, pid);
	if (!find_exe(&search, pid) || !is_new(s, &search.found))
		return;
	/* One that cannot be read counts as good: other checks report it. */
	err = look_at(s, pid, &search.found);
	if (err == -ENODATA)
		name_it(&s->undescribed, &s->n_undescribed, pid);
	else if (has_hung(err))
		name_it(&s->hung, &s->n_hung, pid);
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
	if (s->n_hung) {
		cure = doctor_cure("see whether the server of their file system answers");
		doctor_add(d, FINDING_warn, "stacks", &cure,
			   "programs that could not be read in time have no names: %s",
			   buf_cstr(&s->hung));
	}
	if (s->n_undescribed || s->n_frameless || s->n_hung)
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

/* 0 or -errno. */
static int survey_programs(struct stacks_survey *s)
{
	struct table_worker_opts opts = {.sandbox = true};
	int err = opener_new(&s->opener);
	const struct dirent *e;
	DIR *proc;

	opts.opener = s->opener;
	err = err ?: table_worker_new(&s->tables, &opts);
	if (err)
		return err;
	proc = opendir("/proc");
	while (proc && (e = readdir(proc)))
		if (isdigit((unsigned char)*e->d_name))
			try_program(s, e->d_name);
	if (proc)
		closedir(proc);
	return 0;
}

void check_stacks(struct doctor *d)
{
	struct stacks_survey s = {0};
	int err;

	if (d->refused.tables[0]) {
		report_no_tables(d);
		return;
	}
	err = survey_programs(&s);
	if (err)
		doctor_add(d, FINDING_info, "stacks", NULL,
			   "the running programs could not be looked at: %s", strerror(-err));
	else
		report(d, &s);
	table_worker_free(s.tables);
	if (s.opener)
		opener_free(s.opener);
	vec_release(&s.seen);
	buf_release(&s.undescribed);
	buf_release(&s.frameless);
	buf_release(&s.hung);
}
