// SPDX-License-Identifier: GPL-2.0-or-later
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
#include "profiler/base/vec.h"
#include "profiler/sampler/unwind_cache.h"
#include "symbolizer/unwind_table.h"

#define SUFFIX ".unw"
/* No table is larger: 1 GB of text has 16 MB of index and at most as many rows again. */
#define FILE_MAX (256u << 20)

struct unwind_cache {
	int dirfd; /* -1: no cache */
	uint64_t hits, writes, bad;
};

struct entry {
	char name[2 * BUILD_ID_MAX + sizeof(SUFFIX)];
	uint64_t size;
	struct timespec used;
};

static int make_dirs(const char *dir)
{
	_cleanup_free_ char *path = strdup(dir);

	if (!path)
		return -ENOMEM;
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int unwind_cache_open(struct unwind_cache **out, const char *dir)
{
	struct unwind_cache *c = calloc(1, sizeof(*c));
	struct stat st;

	if (!c)
		return -ENOMEM;
	c->dirfd = -1;
	*out = c;
	if (!dir || make_dirs(dir))
		return 0;
	c->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* Tables steer what is read as a stack: only our own, or root's, are believed. */
	if (c->dirfd >= 0 && (fstat(c->dirfd, &st) || (st.st_uid != geteuid() && st.st_uid != 0) ||
			      (st.st_mode & 022))) {
		close(c->dirfd);
		c->dirfd = -1;
	}
	return 0;
}

void unwind_cache_close(struct unwind_cache *c)
{
	if (!c)
		return;
	if (c->dirfd >= 0)
		close(c->dirfd);
	free(c);
}

static bool name_of(const struct build_id *id, char *name)
{
	if (!id || !id->len)
		return false;
	text_hex(id->data, id->len, name);
	strcat(name, SUFFIX);
	return true;
}

static int read_blob(int fd, void **blob, size_t *len)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FILE_MAX)
		return -EBADMSG;
	p = malloc((size_t)st.st_size);
	if (!p)
		return -ENOMEM;
	if (io_pread(fd, p, (size_t)st.st_size, 0) != st.st_size ||
	    unwind_table_check(p, (size_t)st.st_size)) {
		free(p);
		return -EBADMSG;
	}
	*blob = p;
	*len = (size_t)st.st_size;
	return 0;
}

int unwind_cache_get(struct unwind_cache *c, const struct build_id *id, void **blob, size_t *len)
{
	char name[2 * BUILD_ID_MAX + sizeof(SUFFIX)];
	_cleanup_close_ int fd = -1;
	int err;

	if (c->dirfd < 0 || !name_of(id, name))
		return -ENOENT;
	fd = openat(c->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = read_blob(fd, blob, len);
	if (err == -EBADMSG) {
		c->bad++;
		unlinkat(c->dirfd, name, 0);
	}
	if (!err) {
		c->hits++;
		futimens(fd, (struct timespec[]){{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}});
	}
	return err;
}

static int order_entries(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used;
	const struct timespec *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Removes the least recently used until `room` more bytes fit. */
static void make_room(struct unwind_cache *c, uint64_t room)
{
	int again = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	VEC(struct entry) all = {0};
	uint64_t total = room;

	for (struct dirent *e; d && (e = readdir(d));) {
		struct entry one;
		struct stat st;

		if (strlen(e->d_name) >= sizeof(one.name) || !text_has_suffix(e->d_name, SUFFIX) ||
		    fstatat(c->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		strcpy(one.name, e->d_name);
		one.size = (uint64_t)st.st_size;
		one.used = st.st_atim;
		total += one.size;
		if (vec_push(&all, one))
			break;
	}
	if (all.len)
		qsort(all.data, all.len, sizeof(*all.data), order_entries);
	for (size_t i = 0; i < all.len && total > UNWIND_CACHE_BYTES; i++) {
		unlinkat(c->dirfd, all.data[i].name, 0);
		total -= all.data[i].size;
	}
	vec_release(&all);
	if (d)
		closedir(d);
	else if (again >= 0)
		close(again);
}

void unwind_cache_put(struct unwind_cache *c, const struct build_id *id, const void *blob,
		      size_t len)
{
	char name[2 * BUILD_ID_MAX + sizeof(SUFFIX)], tmp[64];
	int fd;

	if (c->dirfd < 0 || len > FILE_MAX || !name_of(id, name))
		return;
	make_room(c, len);
	snprintf(tmp, sizeof(tmp), ".tmp-%d-%llu", getpid(), (unsigned long long)c->writes);
	fd = openat(c->dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	/* no fsync: a torn file fails its check and is made again */
	if (io_write(fd, blob, len) || renameat(c->dirfd, tmp, c->dirfd, name))
		unlinkat(c->dirfd, tmp, 0);
	else
		c->writes++;
	close(fd);
}

void unwind_cache_stats(const struct unwind_cache *c, uint64_t *hits, uint64_t *writes,
			uint64_t *bad)
{
	*hits = c->hits;
	*writes = c->writes;
	*bad = c->bad;
}
