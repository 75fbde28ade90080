// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/lines/line_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cache_dir.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "symbolizer/lines/line_format.h"

#define TABLE ".lines"
#define SEEN  ".seen"

struct line_cache {
	int dirfd; /* -errno: unusable */
	uint64_t max_bytes, room_left;
	struct timespec since; /* older marks are from an earlier run */
	struct line_cache_stats stats;
};

struct name {
	char text[2 * FILE_IDENTITY_LEN + sizeof(TABLE)];
};

int line_cache_open(struct line_cache **out, const char *dir, uint64_t max_bytes)
{
	struct line_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->dirfd = cache_dir_open(dir);
	c->max_bytes = max_bytes ?: LINE_CACHE_BYTES;
	c->stats.unusable = c->dirfd < 0;
	/* The clock of file times, which may be a tick behind CLOCK_REALTIME. */
	clock_gettime(CLOCK_REALTIME_COARSE, &c->since);
	*out = c;
	return 0;
}

void line_cache_close(struct line_cache *c)
{
	if (!c)
		return;
	if (c->dirfd >= 0)
		close(c->dirfd);
	free(c);
}

void line_cache_stats(const struct line_cache *c, struct line_cache_stats *out)
{
	*out = c->stats;
}

static void name_of(const struct file_identity *id, const char *suffix, struct name *name)
{
	text_hex(id->data, sizeof(id->data), name->text);
	strcat(name->text, suffix);
}

static int open_file(struct line_cache *c, const struct name *name, int flags)
{
	int fd = openat(c->dirfd, name->text, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static int get(struct line_cache *c, const struct file_identity *id)
{
	_cleanup_close_ int fd = -1;
	struct name name;

	name_of(id, TABLE, &name);
	fd = open_file(c, &name, O_RDONLY);
	if (fd < 0) {
		*(fd == -ENOENT ? &c->stats.misses : &c->stats.unusable) += 1;
		return fd;
	}
	if (flock(fd, LOCK_SH | LOCK_NB)) {
		c->stats.busy++;
		return -EAGAIN;
	}
	cache_dir_touch(fd);
	c->stats.hits++;
	return steal_fd(&fd);
}

static bool is_complete(int fd)
{
	char magic[sizeof(LINE_MAGIC) - 1];

	return io_pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       !memcmp(magic, LINE_MAGIC, sizeof(magic));
}

static int create(struct line_cache *c, const struct file_identity *id)
{
	static const char *const suffixes[] = {TABLE, SEEN, NULL};
	_cleanup_close_ int fd = -1;
	struct name name;
	struct stat st;

	/* How large the table will be, nobody knows yet. */
	cache_dir_make_room(c->dirfd, suffixes, c->max_bytes / 1024, c->max_bytes, &c->room_left);
	name_of(id, TABLE, &name);
	fd = open_file(c, &name, O_RDWR | O_CREAT);
	if (fd < 0) {
		c->stats.unusable++;
		return fd;
	}
	/* Another process may have finished or unlinked it since it was opened. */
	if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st) || !st.st_nlink) {
		c->stats.busy++;
		return -EAGAIN;
	}
	if (is_complete(fd))
		return -EEXIST;
	if (ftruncate(fd, 0)) {
		c->stats.unusable++;
		return -errno;
	}
	c->stats.created++;
	return steal_fd(&fd);
}

static int note_seen(struct line_cache *c, const struct file_identity *id)
{
	_cleanup_close_ int fd = -1;
	struct name name;
	struct stat st;

	name_of(id, SEEN, &name);
	fd = open_file(c, &name, O_RDONLY);
	if (fd >= 0 && !fstat(fd, &st)) {
		cache_dir_touch(fd);
		return st.st_mtim.tv_sec < c->since.tv_sec ||
		       (st.st_mtim.tv_sec == c->since.tv_sec &&
			st.st_mtim.tv_nsec < c->since.tv_nsec);
	}
	fd = open_file(c, &name, O_WRONLY | O_CREAT);
	c->stats.unusable += fd < 0;
	return fd < 0 ? fd : 0;
}

static int drop(struct line_cache *c, const struct file_identity *id)
{
	struct name name;

	name_of(id, TABLE, &name);
	c->stats.dropped++;
	return unlinkat(c->dirfd, name.text, 0) ? -errno : 0;
}

int line_cache_ask(struct line_cache *c, enum line_wish wish, const struct file_identity *id)
{
	if (c->dirfd < 0)
		return c->dirfd;
	switch (wish) {
	case LINE_GET:
		return get(c, id);
	case LINE_CREATE:
		return create(c, id);
	case LINE_SEEN:
		return note_seen(c, id);
	case LINE_DROP:
		return drop(c, id);
	default:
		return -EINVAL;
	}
}
