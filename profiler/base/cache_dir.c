// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/cache_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"

#define FILE_BYTES_MIN 4096
#define TMP_PREFIX     ".tmp-"

struct entry {
	char *name;
	uint64_t size;
	struct timespec used;
};

const char *cache_dir_path(const char *name, char *path, size_t size)
{
	const char *dir = getenv("KILN_CACHE_DIR"), *home = getenv("HOME");

	if (dir)
		snprintf(path, size, "%s/%s", dir, name);
	else if (!geteuid())
		snprintf(path, size, "/var/cache/kiln/%s", name);
	else if (getenv("XDG_CACHE_HOME"))
		snprintf(path, size, "%s/kiln/%s", getenv("XDG_CACHE_HOME"), name);
	else if (home)
		snprintf(path, size, "%s/.cache/kiln/%s", home, name);
	else
		return NULL;
	return path;
}

static int make_dirs(const char *dir)
{
	int err = io_make_parents(dir, 0755);

	if (err)
		return err;
	return mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
}

static void remove_abandoned(int dirfd, const char *name)
{
	_cleanup_close_ int fd =
		openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		unlinkat(dirfd, name, 0);
}

static DIR *list(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static void remove_all_abandoned(int dirfd)
{
	DIR *d = list(dirfd);

	for (struct dirent *e; d && (e = readdir(d));)
		if (text_has_prefix(e->d_name, TMP_PREFIX))
			remove_abandoned(dirfd, e->d_name);
	if (d)
		closedir(d);
}

int cache_dir_new_file(int dirfd, char name[CACHE_DIR_NAME_MAX])
{
	uint64_t random = 0;
	int fd;

	/* Processes of several containers may have one pid. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = monotonic_ns();
	snprintf(name, CACHE_DIR_NAME_MAX, TMP_PREFIX "%016" PRIx64, random);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	flock(fd, LOCK_EX | LOCK_NB);
	return fd;
}

int cache_dir_open(const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int err = make_dirs(path);

	if (err)
		return err;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022))
		return -EPERM;
	remove_all_abandoned(fd);
	return steal_fd(&fd);
}

void cache_dir_touch(int fd)
{
	const struct timespec now[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};

	if (futimens(fd, now))
		return; /* read-only, so nothing can be evicted either */
}

static bool has_suffix(const char *name, const char *const *suffixes)
{
	while (*suffixes && !text_has_suffix(name, *suffixes))
		suffixes++;
	return *suffixes;
}

static int order_entries(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used;
	const struct timespec *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* All files are looked at, of which there may be thousands: so, where some have to go, as many go that the next ones
 * need no look. */
static unsigned look_and_make_room(int dirfd, const char *const *suffixes, uint64_t room,
				   uint64_t max_bytes, uint64_t *left)
{
	unsigned n_gone = 0;
	DIR *d = list(dirfd);
	VEC(struct entry) all = {0};
	uint64_t total = room, spare = max_bytes / 16, goal;

	for (struct dirent *e; d && (e = readdir(d));) {
		struct entry one;
		struct stat st;

		if (!has_suffix(e->d_name, suffixes) ||
		    fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		one = (struct entry){strdup(e->d_name), (uint64_t)st.st_size, st.st_atim};
		if (one.size < FILE_BYTES_MIN)
			one.size = FILE_BYTES_MIN;
		total += one.size;
		if (!one.name || vec_push(&all, one)) {
			free(one.name);
			break;
		}
	}
	if (all.len)
		qsort(all.data, all.len, sizeof(*all.data), order_entries);
	goal = total > max_bytes ? max_bytes - spare : max_bytes;
	for (size_t i = 0; i < all.len; i++) {
		if (total > goal && !unlinkat(dirfd, all.data[i].name, 0)) {
			total -= all.data[i].size;
			n_gone++;
		}
		free(all.data[i].name);
	}
	vec_release(&all);
	*left = total < max_bytes ? max_bytes - total : 0;
	if (*left > spare)
		*left = spare;
	if (d)
		closedir(d);
	return n_gone;
}

unsigned cache_dir_make_room(int dirfd, const char *const *suffixes, uint64_t room,
			     uint64_t max_bytes, uint64_t *left)
{
	uint64_t cost = room < FILE_BYTES_MIN ? FILE_BYTES_MIN : room;

	if (cost > *left)
		return look_and_make_room(dirfd, suffixes, room, max_bytes, left);
	*left -= cost;
	return 0;
}
