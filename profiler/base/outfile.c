// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"

#define MAX_LINKS 40 /* as path_resolution(7) */

struct outfile {
	int fd, err;
	int dir;				    /* in which it is; -1: it is written in place */
	char name[NAME_MAX + 1], tmp[NAME_MAX + 1]; /* tmp "": there is none */
};

/* --- who asks ------------------------------------------------------------------------------------- */

/* Whom root works for under sudo. False: nobody. */
static bool invoking_user(uid_t *uid, gid_t *gid)
{
	const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
	uint64_t u, g;

	if (geteuid() || !uid_text || !gid_text || text_parse_u64(uid_text, UINT32_MAX - 1, &u) ||
	    text_parse_u64(gid_text, UINT32_MAX - 1, &g))
		return false;
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	return true;
}

/* Whoever owns the root directory made the system's links. In a user namespace that is not always 0. */
static bool is_systems(uid_t owner)
{
	struct stat st;

	return !owner || (!stat("/", &st) && owner == st.st_uid);
}

static bool is_trusted(uid_t owner)
{
	uid_t uid;
	gid_t gid;

	return owner == geteuid() || is_systems(owner) ||
	       (invoking_user(&uid, &gid) && owner == uid);
}

/* --- where it goes -------------------------------------------------------------------------------- */

/* A path on its way to its last component. */
struct walk {
	int dir; /* O_PATH */
	char rest[PATH_MAX];
	unsigned links;
};

static void enter(struct walk *w, int dir)
{
	if (w->dir >= 0)
		close(w->dir);
	w->dir = dir;
}

static int enter_path(struct walk *w, const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	enter(w, fd);
	return 0;
}

/* Takes the next component off the rest. -EISDIR: there is none, as in "a/" and "". */
static int next_name(struct walk *w, char name[NAME_MAX + 1], bool *is_last)
{
	const char *begin = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(begin, "/");
	const char *after = begin + len + strspn(begin + len, "/");

	if (!len || len > NAME_MAX)
		return len ? -ENAMETOOLONG : -EISDIR;
	memcpy(name, begin, len);
	name[len] = '\0';
	*is_last = !begin[len];
	memmove(w->rest, after, strlen(after) + 1);
	return 0;
}

/* Links of procfs that lead to an open file say nothing that could be read as a path. */
static bool is_magic(int link)
{
	struct statfs fs;
	char target[PATH_MAX];
	ssize_t n;

	if (fstatfs(link, &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	n = readlinkat(link, "", target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	/* /proc/self and /proc/mounts are relative. "pipe:[1]" is of an open file. */
	return target[0] == '/' || strchr(target, ':');
}

/* Puts the link's text in front of the rest. */
static int follow(struct walk *w, int link, const struct stat *st)
{
	char target[PATH_MAX], joined[2 * PATH_MAX + 2];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	if (!is_trusted(st->st_uid) || ++w->links > MAX_LINKS)
		return -ELOOP;
	target[n] = '\0';
	snprintf(joined, sizeof(joined), "%s%s%s", target, *w->rest ? "/" : "", w->rest);
	if (strlen(joined) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	strcpy(w->rest, joined);
	return *target == '/' ? enter_path(w, "/") : 0;
}

/* A link that procfs has for an open file: *handle is that file, for writing; a directory is entered. */
static int follow_magic(struct walk *w, const char *name, bool is_last, int *handle)
{
	int flags = is_last ? O_WRONLY | O_APPEND | O_NOCTTY : O_PATH | O_DIRECTORY;
	int fd = openat(w->dir, name, flags | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (is_last)
		*handle = fd;
	else
		enter(w, fd);
	return is_last;
}

/* What the walk has come to. */
struct place {
	char name[NAME_MAX + 1];
	int handle;   /* what is there: O_PATH; -1: nothing */
	bool is_open; /* handle is for writing */
};

/* One component. 1: it was the last; 0: there are more; or -errno. */
static int step(struct walk *w, struct place *p)
{
	_cleanup_close_ int fd = -1;
	bool is_last;
	struct stat st;
	int err = next_name(w, p->name, &is_last);

	if (err)
		return err;
	fd = openat(w->dir, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && is_last ? 1 : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (S_ISLNK(st.st_mode) && is_magic(fd)) {
		p->is_open = is_last;
		return follow_magic(w, p->name, is_last, &p->handle);
	}
	if (S_ISLNK(st.st_mode))
		return follow(w, fd, &st);
	if (is_last)
		p->handle = steal_fd(&fd);
	else if (S_ISDIR(st.st_mode))
		enter(w, steal_fd(&fd));
	else
		return -ENOTDIR;
	return is_last;
}

/* 0 or -errno; w->dir and p->handle are to be closed either way. */
static int walk(struct walk *w, const char *path, struct place *p)
{
	int err;

	*w = (struct walk){.dir = -1};
	*p = (struct place){.handle = -1};
	if (strlen(path) >= sizeof(w->rest))
		return -ENAMETOOLONG;
	strcpy(w->rest, path);
	err = enter_path(w, *path == '/' ? "/" : ".");
	while (!err)
		err = step(w, p);
	return err < 0 ? err : 0;
}

/* --- the file ------------------------------------------------------------------------------------- */

/* What is there, if it is to be written in place. 0: its path, through the handle; -ENOENT: a regular file, or
 * none; or -errno. */
static int in_place(const struct place *p, char self[64])
{
	struct stat st;

	if (p->handle < 0)
		return -ENOENT;
	if (fstat(p->handle, &st))
		return -errno;
	if (S_ISREG(st.st_mode))
		return -ENOENT;
	/* Nobody may ever read what somebody else has put there to be written to. */
	if (S_ISFIFO(st.st_mode) && !is_trusted(st.st_uid))
		return -EPERM;
	snprintf(self, 64, "/proc/self/fd/%d", p->handle);
	return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

/* Under sudo the file belongs to the invoking user, not to root. */
static void give_to_invoking_user(int fd)
{
	uid_t uid;
	gid_t gid;

	if (invoking_user(&uid, &gid) && fchown(fd, uid, gid))
		return; /* the file stays root's; it can be read with sudo */
}

#define NUMBER_LEN 7 /* of ".0123ab" */

static int make_temporary(struct outfile *f)
{
	/* A name may be as long as there can be any. */
	int len = (int)strnlen(f->name, NAME_MAX - NUMBER_LEN);

	for (int tries = 0; tries < 100; tries++) {
		uint64_t number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return -EIO;
		snprintf(f->tmp, sizeof(f->tmp), "%.*s.%06" PRIx64, len, f->name,
			 number & 0xffffff);
		f->fd = openat(f->dir, f->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (f->fd >= 0 || errno != EEXIST)
			break;
	}
	if (f->fd < 0) {
		f->tmp[0] = '\0';
		return -errno;
	}
	give_to_invoking_user(f->fd);
	return 0;
}

/* What is written in place. A FIFO opens when somebody reads it, or a signal ends the wait. */
static int open_in_place(struct outfile *f, const char *self, const char *path)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY;

	f->fd = open(self, flags | O_NONBLOCK);
	if (f->fd >= 0)
		return fcntl(f->fd, F_SETFL, 0) ? -errno : 0;
	if (errno == ENXIO) {
		log_warning("%s is a FIFO that nobody reads: waiting for its reader", path);
		f->fd = open(self, flags);
	}
	return f->fd < 0 ? -errno : 0;
}

static int open_place(struct outfile *f, struct walk *w, struct place *p, const char *path)
{
	char self[64];
	int err;

	if (p->is_open) {
		f->fd = steal_fd(&p->handle);
		return 0;
	}
	err = in_place(p, self);
	if (!err)
		return open_in_place(f, self, path);
	if (err != -ENOENT)
		return err;
	f->dir = steal_fd(&w->dir);
	memcpy(f->name, p->name, sizeof(f->name));
	return make_temporary(f);
}

int outfile_open(struct outfile **out, const char *path)
{
	struct outfile *f = calloc(1, sizeof(*f));
	struct place place;
	struct walk w;
	int err;

	if (!f)
		return -ENOMEM;
	f->fd = f->dir = -1;
	err = walk(&w, path, &place) ?: open_place(f, &w, &place, path);
	cleanup_close_fd(&w.dir);
	cleanup_close_fd(&place.handle);
	if (err)
		outfile_abort(f);
	else
		*out = f;
	return err;
}

static bool is_written_in_place(const char *path, int *err)
{
	struct place place;
	char self[64];
	struct walk w;

	*err = walk(&w, path, &place);
	if (!*err && !place.is_open)
		*err = in_place(&place, self);
	if (!*err && !place.is_open && access(self, W_OK))
		*err = -errno;
	cleanup_close_fd(&w.dir);
	cleanup_close_fd(&place.handle);
	return *err != -ENOENT;
}

int outfile_check(const char *path)
{
	struct outfile *f = NULL;
	int err;

	if (is_written_in_place(path, &err))
		return err;
	err = outfile_open(&f, path);
	if (!err)
		outfile_abort(f);
	return err;
}

int outfile_write(struct outfile *f, const void *data, size_t len)
{
	if (!f->err)
		f->err = io_write_to_reader(f->fd, data, len);
	return f->err;
}

int outfile_commit(struct outfile *f)
{
	int err = f->err;

	if (!err && *f->tmp && fsync(f->fd) && errno != EINVAL && errno != EROFS)
		err = -errno;
	if (!err && *f->tmp && renameat(f->dir, f->tmp, f->dir, f->name))
		err = -errno;
	if (!err)
		f->tmp[0] = '\0';
	outfile_abort(f);
	return err;
}

void outfile_abort(struct outfile *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (*f->tmp)
		unlinkat(f->dir, f->tmp, 0);
	if (f->dir >= 0)
		close(f->dir);
	free(f);
}

const char *outfile_strerror(int err)
{
	switch (err) {
	case -ELOOP:
		return "a symbolic link of another user, which is not followed, or a circle of "
		       "them";
	case -ENOENT:
		return "there is no such directory: make it first";
	case -EINTR:
		return "nobody reads this FIFO: start its reader (cat FIFO >FILE) before";
	case -ECANCELED:
		return "its reader takes no more, and a signal ended the wait";
	default:
		return strerror(-err);
	}
}
