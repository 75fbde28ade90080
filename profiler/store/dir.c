// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/why.h"

#define GROUP	       "kiln"
#define MODE_DIR       0750
#define MODE_PARENT    0755
#define MODE_FILE      0640
#define MAX_SAME_BEGIN 10000 /* segments from one second */

static const char *const beside[] = {"-wal", "-shm", "-journal"};
#define N_BESIDE (sizeof(beside) / sizeof(*beside))

/* --- opening -------------------------------------------------------------------------------------- */

static gid_t find_group(void)
{
	struct group g, *found = NULL;
	char buf[4096];

	return getgrnam_r(GROUP, &g, buf, sizeof(buf), &found) || !found ? (gid_t)-1 : g.gr_gid;
}

/* Whoever is not allowed to give it away keeps it. */
static void give_to_group(const struct dir *d, int fd)
{
	if (d->group != (gid_t)-1 && fchown(fd, (uid_t)-1, d->group))
		return;
}

/* 1: made; 0: it was there already. */
static int make_dir(const char *path)
{
	int err = io_make_parents(path, MODE_PARENT);

	if (err)
		return err;
	if (!mkdir(path, MODE_DIR))
		return 1;
	return errno == EEXIST ? 0 : -errno;
}

static int explain(int err, const char *path, struct why *why)
{
	switch (err) {
	case -ENOENT:
		return why_say(why, err,
			       "%s: there is no store; kiln agent makes one (--store DIR)", path);
	case -ENOTDIR:
		return why_say(why, err, "%s is no directory", path);
	case -EACCES:
		return why_say(why, err,
			       "%s is for root and the group " GROUP
			       ": use sudo, or join the group "
			       "(sudo usermod -aG " GROUP " $USER) and log in again",
			       path);
	default:
		return why_say(why, err, "%s: %s", path, strerror(-err));
	}
}

static int open_dir(struct dir *d, const char *path, bool create)
{
	int made = create ? make_dir(path) : 0;

	if (made < 0)
		return made;
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0)
		return -errno;
	if (made && fchmod(d->fd, MODE_DIR))
		return -errno;
	if (made)
		give_to_group(d, d->fd);
	d->path = realpath(path, NULL);
	return d->path ? 0 : -errno;
}

int dir_open(struct dir *d, const char *path, bool create, struct why *why)
{
	struct stat st;
	int err;

	*d = (struct dir){.fd = -1, .group = find_group()};
	err = open_dir(d, path, create);
	if (!err && fstat(d->fd, &st))
		err = -errno;
	if (!err && create && (st.st_mode & S_IWOTH))
		err = why_say(why, -EPERM,
			      "%s can be written to by everybody: chmod o-w it, or use another one",
			      path);
	else if (err)
		explain(err, path, why);
	if (err)
		dir_close(d);
	return err;
}

void dir_close(struct dir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	*d = (struct dir){.fd = -1};
}

bool dir_is_at(const struct dir *d, const char *path)
{
	struct stat there, here;

	if (stat(path, &there))
		return errno != ENOENT && errno != ENOTDIR;
	return fstat(d->fd, &here) || (there.st_dev == here.st_dev && there.st_ino == here.st_ino);
}

static pid_t read_pid(int fd)
{
	char text[32];
	uint64_t pid;
	ssize_t n = io_pread(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text_parse_u64(text, INT_MAX, &pid) ? 0 : (pid_t)pid;
}

int dir_lock(const struct dir *d, const char *name, pid_t *pid)
{
	_cleanup_close_ int fd =
		openat(d->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE_FILE);
	char text[32];
	int n;

	*pid = 0;
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		*pid = read_pid(fd);
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	}
	give_to_group(d, fd);
	n = snprintf(text, sizeof(text), "%d\n", d->pid ?: getpid());
	/* On a full disk nobody learns the pid; the lock holds all the same. */
	if (!ftruncate(fd, 0))
		io_pwrite(fd, text, (size_t)n, 0);
	return steal_fd(&fd);
}

/* --- names ---------------------------------------------------------------------------------------- */

static int format_name(int64_t begin_ns, unsigned n, const char *suffix, char name[DIR_NAME_BYTES])
{
	time_t seconds = (time_t)(begin_ns / 1000000000);
	char time[32], number[16] = "";
	struct tm tm;

	if (begin_ns < 0 || !gmtime_r(&seconds, &tm))
		return -EINVAL;
	strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &tm);
	if (n > 1)
		snprintf(number, sizeof(number), "-%u", n);
	snprintf(name, DIR_NAME_BYTES, "%s%s" DIR_SUFFIX "%s", time, number, suffix);
	return 0;
}

/* A segment's name with nothing behind its suffix but `rest`. */
static bool parse_name(const char *name, const char *rest, int64_t *begin_ns)
{
	struct tm tm = {0};
	const char *end;
	uint64_t n;
	char number[24];
	size_t len;

	for (int i = 0; i < 16; i++)
		if (i == 8    ? name[i] != 'T'
		    : i == 15 ? name[i] != 'Z'
			      : name[i] < '0' || name[i] > '9')
			return false;
	end = strptime(name, "%Y%m%dT%H%M%SZ", &tm);
	if (!end)
		return false;
	len = strcspn(end, ".");
	if (len >= sizeof(number))
		return false;
	memcpy(number, end, len);
	number[len] = '\0';
	if (len && (number[0] != '-' || text_parse_u64(number + 1, MAX_SAME_BEGIN, &n)))
		return false;
	end += len;
	if (!text_has_prefix(end, DIR_SUFFIX) || strcmp(end + strlen(DIR_SUFFIX), rest))
		return false;
	/* The year 9999 is none of ours. */
	return !__builtin_mul_overflow((int64_t)timegm(&tm), 1000000000ll, begin_ns);
}

int dir_path(const struct dir *d, const char *name, char **out)
{
	char *path;

	if (asprintf(&path, "%s/%s", d->path, name) < 0)
		return -ENOMEM;
	*out = path;
	return 0;
}

/* --- listing -------------------------------------------------------------------------------------- */

static uint64_t bytes_of_file(const struct dir *d, const char *name, const char *suffix)
{
	char path[DIR_NAME_BYTES + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	return fstatat(d->fd, path, &st, AT_SYMLINK_NOFOLLOW) ? 0 : (uint64_t)st.st_blocks * 512;
}

uint64_t dir_bytes(const struct dir *d, const char *name)
{
	uint64_t bytes = bytes_of_file(d, name, "");

	for (size_t i = 0; i < N_BESIDE; i++)
		bytes += bytes_of_file(d, name, beside[i]);
	return bytes;
}

static int add_entry(const struct dir *d, const char *name, struct dir_list *out)
{
	struct dir_entry e = {0};
	struct stat st;

	if (strlen(name) >= sizeof(e.name))
		return 0;
	if (parse_name(name, DIR_DAMAGED_SUFFIX, &e.begin_ns))
		e.is_damaged = true;
	else if (!parse_name(name, "", &e.begin_ns))
		return 0;
	/* A FIFO of that name would never open. */
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return 0;
	strcpy(e.name, name);
	e.bytes = dir_bytes(d, name);
	e.is_empty = !st.st_size;
	return vec_push(&out->v, e);
}

static int compare_entries(const void *va, const void *vb)
{
	const struct dir_entry *a = va, *b = vb;

	if (a->begin_ns != b->begin_ns)
		return a->begin_ns < b->begin_ns ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Calls back for each name in the directory. */
static int for_each_name(const struct dir *d,
			 int (*each)(const struct dir *d, const char *name, struct dir_list *out),
			 struct dir_list *out)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	struct dirent *e;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (errno = 0, e = readdir(stream)))
		err = each(d, e->d_name, out);
	err = err ?: -errno;
	closedir(stream);
	return err;
}

int dir_list(const struct dir *d, struct dir_list *out)
{
	struct dir_list l = {0};
	int err = for_each_name(d, add_entry, &l);

	if (err) {
		dir_list_release(&l);
		return err;
	}
	if (l.v.len)
		qsort(l.v.data, l.v.len, sizeof(*l.v.data), compare_entries);
	*out = l;
	return 0;
}

void dir_list_release(struct dir_list *l)
{
	vec_release(&l->v);
}

/* --- changing ------------------------------------------------------------------------------------- */

static bool exists(const struct dir *d, const char *name, const char *suffix)
{
	char path[DIR_NAME_BYTES + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	return !fstatat(d->fd, path, &st, AT_SYMLINK_NOFOLLOW);
}

/* A name is taken if anything of that name is there: a log beside a new file would be taken for its. */
static bool is_taken(const struct dir *d, const char *name)
{
	bool taken = exists(d, name, "") || exists(d, name, DIR_DAMAGED_SUFFIX) ||
		     exists(d, name, DIR_TMP_SUFFIX);

	for (size_t i = 0; i < N_BESIDE && !taken; i++)
		taken = exists(d, name, beside[i]);
	return taken;
}

static int create_file(const struct dir *d, const char *name)
{
	_cleanup_close_ int fd =
		openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE_FILE);

	if (fd < 0)
		return -errno;
	fchmod(fd, MODE_FILE);
	give_to_group(d, fd);
	return fsync(d->fd) && errno != EINVAL ? -errno : 0;
}

int dir_create(const struct dir *d, int64_t begin_ns, const char *suffix, char name[DIR_NAME_BYTES])
{
	int err = -EEXIST;

	for (unsigned n = 1; n < MAX_SAME_BEGIN && err == -EEXIST; n++) {
		err = format_name(begin_ns, n, "", name);
		if (err)
			return err;
		if (is_taken(d, name))
			err = -EEXIST;
		else
			err = format_name(begin_ns, n, suffix, name) ?: create_file(d, name);
	}
	return err;
}

int dir_rename(const struct dir *d, const char *from, const char *to)
{
	/* Not over what is there: another process may have taken the name meanwhile. */
	if (renameat2(d->fd, from, d->fd, to, RENAME_NOREPLACE)) {
		if (errno != EINVAL && errno != ENOSYS)
			return -errno;
		if (linkat(d->fd, from, d->fd, to, 0) || unlinkat(d->fd, from, 0))
			return -errno;
	}
	return fsync(d->fd) && errno != EINVAL ? -errno : 0;
}

static int remove_name(const struct dir *d, const char *name, const char *suffix)
{
	char path[DIR_NAME_BYTES + 16];

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	if (!unlinkat(d->fd, path, 0) || errno == ENOENT)
		return 0;
	return errno == EISDIR && !unlinkat(d->fd, path, AT_REMOVEDIR) ? 0 : -errno;
}

/* The file first: without it the rest is nothing, and dir_clean() finds it. */
int dir_remove(const struct dir *d, const char *name)
{
	int err = remove_name(d, name, "");

	for (size_t i = 0; i < N_BESIDE && !err; i++)
		err = remove_name(d, name, beside[i]);
	return err;
}

int dir_put_aside(const struct dir *d, const char *name)
{
	char aside[DIR_NAME_BYTES + 16], log[DIR_NAME_BYTES + 16];
	int err;

	snprintf(aside, sizeof(aside), "%s" DIR_DAMAGED_SUFFIX, name);
	err = dir_rename(d, name, aside);
	/* With its log somebody may get more out of it. */
	snprintf(log, sizeof(log), "%s-wal", name);
	snprintf(aside, sizeof(aside), "%s" DIR_DAMAGED_SUFFIX "-wal", name);
	if (!err && exists(d, log, ""))
		err = dir_rename(d, log, aside);
	if (!err && dir_remove(d, name))
		log_debug("something stays beside %s, which was put aside", name);
	return err;
}

static bool is_left_over(const struct dir *d, const char *name)
{
	char main_name[DIR_NAME_BYTES];
	int64_t begin;

	if (parse_name(name, DIR_TMP_SUFFIX, &begin) ||
	    parse_name(name, DIR_TMP_SUFFIX "-journal", &begin))
		return true;
	for (size_t i = 0; i < N_BESIDE; i++) {
		if (!parse_name(name, beside[i], &begin))
			continue;
		snprintf(main_name, sizeof(main_name), "%.*s",
			 (int)(strlen(name) - strlen(beside[i])), name);
		return !exists(d, main_name, "");
	}
	return false;
}

/* What cannot be removed is no reason to leave the rest. */
static int clean_name(const struct dir *d, const char *name, struct dir_list *out)
{
	(void)out;
	if (is_left_over(d, name) && remove_name(d, name, ""))
		log_debug("%s cannot be removed", name);
	return 0;
}

int dir_clean(const struct dir *d)
{
	return for_each_name(d, clean_name, NULL);
}

int dir_space(const struct dir *d, struct dir_space *out)
{
	struct statvfs st;

	if (fstatvfs(d->fd, &st))
		return -errno;
	*out = (struct dir_space){(uint64_t)st.f_bavail * st.f_frsize,
				  (uint64_t)st.f_blocks * st.f_frsize};
	return 0;
}
