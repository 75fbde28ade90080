// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/store_owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/agent/confine.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"

#define MODE_DIR    0750
#define MODE_PARENT 0755

static gid_t group_of(const struct identity *who)
{
	return who->group != (gid_t)-1 ? who->group : who->gid;
}

/* The mode is set whatever the umask says. */
static int give(int fd, const struct identity *who)
{
	gid_t group = group_of(who);

	if (fchmod(fd, MODE_DIR))
		return -errno;
	if (who->uid == (uid_t)-1 && group == (gid_t)-1)
		return 0;
	return fchown(fd, who->uid, group) ? -errno : 0;
}

/* Names as in profiler/store/dir.h, and the directory of cursors. */
static bool is_of_store(const char *name)
{
	return strstr(name, ".kiln") || !strcmp(name, "lock") || !strcmp(name, "maintenance") ||
	       !strcmp(name, STORE_OWNER_CURSORS) || !strcmp(name, ".") || !strcmp(name, "..");
}

/* Calls back for each name: 0, or the first result that is not 0. */
static int for_each_name(int dirfd, int (*each)(int dirfd, const char *name, void *ctx), void *ctx)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!stream) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (!r && (e = readdir(stream)))
		r = each(dirfd, e->d_name, ctx);
	closedir(stream);
	return r;
}

static int look_at_name(int dirfd, const char *name, void *ctx)
{
	(void)dirfd;
	(void)ctx;
	return is_of_store(name) ? 0 : -EEXIST;
}

static int give_name(int dirfd, const char *name, void *ctx)
{
	const struct identity *who = ctx;

	if (name[0] == '.')
		return 0;
	return fchownat(dirfd, name, who->uid, group_of(who), AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

/* An agent that ran before there was a user has left it, or somebody has made it for us: then it is the user's
 * from now on. Only root can have put anything there. The directory goes last, so that a crash changes nothing. */
static bool adopt(int fd, const struct stat *st, struct identity *who)
{
	if (who->uid == (uid_t)-1 || st->st_uid || (st->st_mode & (S_IWGRP | S_IWOTH)))
		return false;
	return !for_each_name(fd, look_at_name, NULL) && !for_each_name(fd, give_name, who) &&
	       !give(fd, who);
}

int store_owner_prepare(const char *path, struct identity *who)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	bool made;
	int err = io_make_parents(path, MODE_PARENT);

	if (err)
		return err == -ENOTDIR ? 0 : err;
	made = !mkdir(path, MODE_DIR);
	if (!made && errno != EEXIST)
		return errno == ENOTDIR ? 0 : -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
	if (fd < 0 || fstat(fd, &st))
		return errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	if (made)
		return give(fd, who);
	if (!geteuid() && st.st_uid != who->uid && !adopt(fd, &st, who)) {
		who->uid = st.st_uid ? st.st_uid : (uid_t)-1;
		who->gid = st.st_gid;
	}
	return 0;
}

/* Names as in profiler/upload/cursor.c. */
static int look_at_cursor(int dirfd, const char *name, void *ctx)
{
	static const char *const suffixes[] = {".cursor", ".removed", ".status", ".tmp"};

	(void)dirfd;
	(void)ctx;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (text_has_suffix(name, suffixes[i]))
			return 0;
	return !strcmp(name, "lock") || !strcmp(name, ".") || !strcmp(name, "..") ? 0 : -EPERM;
}

/* Whoever owns the store can put a link in its place meanwhile, and call another's directory as ours is called. */
int store_owner_cursors(const char *store, const struct identity *who)
{
	bool gives = !geteuid() && who->uid != (uid_t)-1, made;
	_cleanup_close_ int parent = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (parent < 0 || fstat(parent, &st))
		return -errno;
	if (gives && st.st_uid != who->uid)
		return -EPERM;
	made = !mkdirat(parent, STORE_OWNER_CURSORS, MODE_DIR);
	if (!made && errno != EEXIST)
		return -errno;
	fd = openat(parent, STORE_OWNER_CURSORS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!gives || (!made && st.st_uid == who->uid))
		return 0;
	if (!made && st.st_uid)
		return -EPERM;
	return for_each_name(fd, look_at_cursor, NULL)
		       ?: for_each_name(fd, give_name, (void *)who) ?: give(fd, who);
}
