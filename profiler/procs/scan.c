// SPDX-License-Identifier: GPL-2.0-or-later
/* procs_scan() reads what ran before the sideband was opened, scan_again() what the sideband may
 * have missed. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/kernel.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "profiler/procs/maps.h"
#include "profiler/files/stall_guard.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/table.h"

#define STATUS_CAP 65536       /* long because of "Groups:", of which the kernel allows 65536 */
#define MAPS_CAP   (64u << 20) /* 65530 mappings with long paths */
/* A flag in /proc/PID/stat (include/linux/sched.h): it was forked, and has executed no file since. */
#define PF_FORKNOEXEC 0x40

static inline void cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

struct reading {
	struct procs *procs;
	struct stall_guard *guard;
	struct scanned s;
	char state;
	uint64_t n_threads;
	char exe[PATH_MAX];
	bool again;	 /* a rescan: known mappings keep their file ids */
	bool is_forked;	 /* and has executed no file since */
	bool makes_code; /* has executable memory without a file */
	VEC(pid_t) tids;
	VEC(struct proc_mapping) mappings;
	int err;
};

static int read_proc(struct reading *r, const char *name, size_t cap, char **text, size_t *len)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", r->s.tgid, name);
	return stall_guard_read_file(r->guard, path, cap, text, len);
}

/* The field of /proc/PID/stat (proc_pid_stat(5)) that is `skip` fields behind the comm. */
static const char *stat_field(const char *after_comm, unsigned skip)
{
	for (; skip && after_comm; skip--) {
		after_comm = strchr(after_comm, ' ');
		after_comm += after_comm != NULL;
	}
	return after_comm;
}

static int read_stat(struct reading *r)
{
	_cleanup_free_ char *text = NULL;
	const char *open, *close, *fields, *ticks;
	size_t len;
	int err = read_proc(r, "stat", STATUS_CAP, &text, &len);

	if (err)
		return err;
	open = strchr(text, '(');
	close = strrchr(text, ')'); /* the comm may contain spaces and parentheses */
	if (!open || !close || close < open || close[1] != ' ')
		return -EBADMSG;
	snprintf(r->s.comm, sizeof(r->s.comm), "%.*s", (int)(close - open - 1), open + 1);
	fields = close + 2;
	ticks = stat_field(fields, 19);
	if (!ticks)
		return -EBADMSG;
	r->state = fields[0];
	r->s.parent_tgid = (pid_t)strtol(stat_field(fields, 1), NULL, 10);
	r->is_forked = strtoul(stat_field(fields, 6), NULL, 10) & PF_FORKNOEXEC;
	r->n_threads = strtoull(stat_field(fields, 17), NULL, 10);
	r->s.start_ns = strtoull(ticks, NULL, 10) * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}

static int take_status(struct reading *r, const char *text)
{
	const char *uid, *ns, *tgid;

	/* Name: comes first, but newlines in it are escaped (fs/proc/array.c). */
	uid = strstr(text, "\nUid:\t");
	ns = strstr(text, "\nNSpid:");
	tgid = strstr(text, "\nTgid:\t");
	if (!tgid || strtol(tgid + 7, NULL, 10) != r->s.tgid)
		return -ESRCH; /* id of a thread: /proc/TID exists but is not listed */
	r->s.uid = uid ? (uint32_t)strtoul(uid + 6, NULL, 10) : UINT32_MAX;
	if (ns) { /* one pid for each namespace, the innermost last */
		const char *eol = strchr(ns + 1, '\n'), *last = eol ? eol : ns + strlen(ns);

		while (last > ns && isdigit((unsigned char)last[-1]))
			last--;
		r->s.ns_tgid = (pid_t)strtol(last, NULL, 10);
	}
	return 0;
}

static int read_status(struct reading *r)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	return read_proc(r, "status", STATUS_CAP, &text, &len) ?: take_status(r, text);
}

/* No lock of the process is taken for this file, so nothing hangs. */
void procs_see_owner(struct procs *p, uint64_t t_ns, pid_t tgid)
{
	const struct proc_image *im = procs_image(p, tgid, t_ns);
	struct reading r = {.s.tgid = tgid};
	_cleanup_free_ char *text = NULL;
	char path[64];
	size_t len;

	if (im && im->ns_tgid)
		return;
	snprintf(path, sizeof(path), "/proc/%d/status", tgid);
	if (!io_read_file(path, STATUS_CAP, &text, &len) && !take_status(&r, text))
		procs_owner(p, t_ns, tgid, r.s.uid, r.s.ns_tgid);
}

void procs_see_forebears(struct procs *p, uint64_t t_ns, pid_t tgid)
{
	const struct proc *proc = table_find(p, tgid);
	struct image *im = proc ? table_image_at(proc, t_ns) : NULL;

	for (int i = 0; im && i < PROC_FOREBEARS_MAX && im->pub.forebears[i].tgid; i++) {
		struct proc_forebear *f = &im->pub.forebears[i];
		struct reading r = {.s.tgid = f->tgid};
		_cleanup_free_ char *text = NULL;
		char path[64];
		size_t len;

		snprintf(path, sizeof(path), "/proc/%d/status", f->tgid);
		if (f->ns_tgid || io_read_file(path, STATUS_CAP, &text, &len) ||
		    take_status(&r, text))
			continue;
		f->ns_tgid = r.s.ns_tgid;
		f->uid = r.s.uid;
	}
}

static void read_tids(struct reading *r)
{
	char path[64];
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	const struct dirent *de;

	snprintf(path, sizeof(path), "/proc/%d/task", r->s.tgid);
	dir = opendir(path);
	r->s.has_all_tids = dir != NULL;
	while (dir && (de = readdir(dir))) {
		uint64_t tid;

		if (!text_parse_u64(de->d_name, INT_MAX, &tid) && (pid_t)tid != r->s.tgid &&
		    vec_push(&r->tids, (pid_t)tid))
			r->err = -ENOMEM;
	}
}

/*
 * File id of a mapping that is known already. Events identify files by build id, /proc by inode, so
 * one file could get two ids.
 */
static uint32_t known_file(const struct reading *r, const struct maps_entry *e)
{
	size_t n;
	const struct proc_mapping *live = procs_live(r->procs, r->s.tgid, &n, NULL);

	for (size_t i = 0; r->again && live && i < n && live[i].start <= e->start; i++)
		if (e->start - live[i].start < live[i].len && live[i].file < FILE_VDSO &&
		    live[i].file_off - live[i].start == e->file_off - e->start &&
		    files_has_path(procs_files(r->procs), live[i].file, e->path))
			return live[i].file;
	return FILE_NONE;
}

static int add_mapping(void *ctx, const struct maps_entry *e)
{
	struct reading *r = ctx;
	bool is_exe = r->exe[0] && !strcmp(r->exe, e->path);
	enum map_kind kind =
		map_kind_of(e->path, is_exe ? MAP_CONTENT_PROGRAM : MAP_CONTENT_UNKNOWN);
	struct files *files = procs_files(r->procs);
	struct proc_mapping m = {e->start, e->end - e->start, e->file_off, FILE_NONE, 0};

	if (kind == MAP_KIND_IGNORE)
		return 0;
	if (kind == MAP_KIND_VDSO)
		m.file = FILE_VDSO;
	if (kind == MAP_KIND_ANON && e->path[0] == '/')
		m.file = known_file(r, e); /* a memfd that is a program, as its event said */
	if (kind == MAP_KIND_FILE && files) {
		struct file_key key = {
			.path = e->path,
			.major = e->major,
			.minor = e->minor,
			.inode = e->inode,
		};

		m.file = known_file(r, e);
		if (m.file == FILE_NONE)
			m.file = files_intern(files, &key, r->s.tgid, r->s.parent_tgid, e->start,
					      e->end);
		if (m.file == FILE_NONE)
			return 0; /* unknown, not anonymous */
		if (is_exe && r->s.exe == FILE_NONE)
			r->s.exe = m.file;
		if (map_is_jitdump(e->path)) {
			r->s.jitdump = m.file;
			r->s.monotonic_ns = kernel_monotonic_ahead_ns(r->s.tgid);
		}
	}
	r->makes_code |= kind == MAP_KIND_ANON;
	r->err = vec_push(&r->mappings, m);
	return r->err;
}

static void read_exe(struct reading *r)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", r->s.tgid);
	n = readlink(path, r->exe, sizeof(r->exe) - 1);
	r->exe[n < 0 ? 0 : n] = '\0';
}

/* Who has made code that a process has from a fork. Its parent is another one if who forked it has ended: then, as a rule,
 * of another program. */
static void read_forebears(struct reading *r)
{
	struct proc_forebear *f = r->s.forebears;
	pid_t parent = r->s.parent_tgid;
	bool is_forked = r->is_forked && r->makes_code;

	for (int i = 0; i < PROC_FOREBEARS_MAX && is_forked; i++) {
		_cleanup_free_ struct reading *up = calloc(1, sizeof(*up));

		if (!up)
			return;
		up->guard = r->guard;
		up->s.tgid = parent;
		read_exe(up);
		if (strcmp(up->exe, r->exe) || read_stat(up) || read_status(up))
			return;
		f[i] = (struct proc_forebear){IMAGE_NONE, up->s.start_ns, parent, up->s.ns_tgid,
					      up->s.uid};
		parent = up->s.parent_tgid;
		is_forked = up->is_forked;
	}
}

static int read_maps(struct reading *r)
{
	_cleanup_free_ char *text = NULL;
	char name[32] = "maps";
	size_t len;
	int err;

	read_exe(r);
	/* An exited main thread has no memory any more, but other threads have. */
	if (r->s.leader_gone && r->tids.len)
		snprintf(name, sizeof(name), "task/%d/maps", r->tids.data[0]);
	err = read_proc(r, name, MAPS_CAP, &text, &len);
	if (err)
		return err;
	maps_parse(text, len, add_mapping, r);
	return r->err;
}

static int read_process(struct reading *r)
{
	bool zombie;
	int err;

	r->s.from_ns = boottime_ns();
	err = read_stat(r) ?: read_status(r);
	if (err)
		return err;
	zombie = r->state == 'Z' || r->state == 'X';
	if (zombie && r->n_threads <= 1)
		return -ESRCH;
	r->s.leader_gone = zombie;
	r->s.has_all_tids = r->n_threads <= 1;
	if (r->n_threads > 1)
		read_tids(r);
	err = read_maps(r);
	r->s.to_ns = boottime_ns();
	if (!err)
		read_forebears(r);
	return err;
}

static int scan_one(struct procs *p, pid_t tgid, uint64_t now_ns, struct stall_guard *guard,
		    bool again)
{
	struct reading r = {
		.procs = p,
		.guard = guard,
		.again = again,
		.s = {.tgid = tgid, .now_ns = now_ns, .exe = FILE_NONE, .jitdump = FILE_NONE}};
	int err = read_process(&r);

	r.s.tids = r.tids.data;
	r.s.n_tids = r.tids.len;
	r.s.mappings = r.mappings.data;
	r.s.n_mappings = r.mappings.len;
	if (!err)
		err = again ? procs_update_scanned(p, &r.s) : procs_add_scanned(p, &r.s);
	else if (again && (err == -ESRCH || err == -ENOENT))
		procs_gone(p, r.s.from_ns, tgid);
	vec_release(&r.tids);
	vec_release(&r.mappings);
	return err;
}

static int scan_all(struct procs *p, uint64_t now_ns, struct stall_guard *guard)
{
	_cleanup_(cleanup_closedir) DIR *dir = opendir("/proc");
	const struct dirent *de;

	if (!dir)
		return -errno;
	while ((de = readdir(dir))) {
		uint64_t pid;
		int err;

		if (text_parse_u64(de->d_name, INT_MAX, &pid) || !pid)
			continue;
		err = scan_one(p, (pid_t)pid, now_ns, guard, false);
		if (err == -ENOMEM || err == -EAGAIN)
			return err;
	}
	return 0;
}

int procs_scan(struct procs *p, pid_t tgid, uint64_t now_ns)
{
	struct stall_guard guard = {0};
	int err = tgid ? scan_one(p, tgid, now_ns, &guard, false) : scan_all(p, now_ns, &guard);

	stall_guard_release(&guard);
	if (!guard.stalled)
		return err;
	log_warning("the mappings of %u process%s could not be read in time (stuck in the "
		    "kernel?): frames there have no names",
		    guard.stalled, guard.stalled == 1 ? "" : "es");
	return err == -ETIMEDOUT ? 0 : err;
}

int scan_again(struct procs *p, pid_t tgid, uint64_t since_ns, struct stall_guard *guard)
{
	return scan_one(p, tgid, since_ns, guard, true);
}
