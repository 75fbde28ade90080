// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/debuginfod/partial.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/text.h"

#define PREFIX	    "debuginfo."
#define LETTERS	    6
#define ENTRIES_MAX 100000 /* of the whole cache: others fill it, too */

static bool is_partial(const char *name)
{
	return text_has_prefix(name, PREFIX) && strlen(name) == strlen(PREFIX) + LETTERS;
}

/* Opens what is below dirfd by name; no link is followed. */
static DIR *list(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static void remove_if_own(const char *cache_dir, int fds, const char *fd)
{
	char path[PATH_MAX], *base;
	ssize_t n = readlinkat(fds, fd, path, sizeof(path) - 1);

	if (n <= 0)
		return;
	path[n] = '\0';
	base = strrchr(path, '/');
	if (text_has_prefix(path, cache_dir) && path[strlen(cache_dir)] == '/' && base &&
	    is_partial(base + 1))
		unlink(path);
}

void partial_remove_own(const char *cache_dir)
{
	char real[PATH_MAX];
	DIR *d = realpath(cache_dir, real) ? opendir("/proc/self/fd") : NULL;

	for (struct dirent *e; d && (e = readdir(d));)
		remove_if_own(real, dirfd(d), e->d_name);
	if (d)
		closedir(d);
}

static void remove_if_stale(int dirfd, const char *name, time_t now)
{
	struct stat st;

	if (is_partial(name) && !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) &&
	    S_ISREG(st.st_mode) && st.st_mtime < now - PARTIAL_STALE_S)
		unlinkat(dirfd, name, 0);
}

void partial_remove_stale(const char *cache_dir)
{
	DIR *all = opendir(cache_dir);
	time_t now = time(NULL);
	unsigned left = ENTRIES_MAX;

	for (struct dirent *e; all && left && (e = readdir(all)); left--) {
		DIR *one = *e->d_name == '.' ? NULL : list(dirfd(all), e->d_name);

		for (struct dirent *f; one && left && (f = readdir(one)); left--)
			remove_if_stale(dirfd(one), f->d_name, now);
		if (one)
			closedir(one);
	}
	if (all)
		closedir(all);
}
