// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cache_dir.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/text.h"
#include "profiler/unwind/unwind_cache.h"
#include "symbolizer/unwind/unwind_blob.h"

#define SUFFIX ".unw"
/* Larger than any table: 1 GB of text has 16 MB of index and at most as many rows again. */
#define FILE_MAX (256u << 20)

struct unwind_cache {
	int dirfd; /* -1: no cache */
	uint64_t max_bytes, room_left;
	_Atomic uint64_t hits, writes, bad, dropped; /* any thread may read them */
};

int unwind_cache_open(struct unwind_cache **out, const char *dir, uint64_t max_bytes)
{
	struct unwind_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->dirfd = -1;
	c->max_bytes = max_bytes ?: UNWIND_CACHE_BYTES;
	*out = c;
	/*
	 * Tables decide what is read as a stack, so the directory must be trusted, see cache_dir.h.
	 */
	if (dir)
		c->dirfd = cache_dir_open(dir);
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

#define NAME_SIZE (2 * FILE_IDENTITY_LEN + sizeof(SUFFIX))

static bool name_of(const struct file_identity *id, char name[NAME_SIZE])
{
	if (!id)
		return false;
	text_hex(id->data, sizeof(id->data), name);
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
	    unwind_blob_check(p, (size_t)st.st_size)) {
		free(p);
		return -EBADMSG;
	}
	*blob = p;
	*len = (size_t)st.st_size;
	return 0;
}

int unwind_cache_get(struct unwind_cache *c, const struct file_identity *id, void **blob,
		     size_t *len)
{
	char name[NAME_SIZE];
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
		cache_dir_touch(fd);
	}
	return err;
}

void unwind_cache_put(struct unwind_cache *c, const struct file_identity *id, const void *blob,
		      size_t len)
{
	static const char *const suffixes[] = {SUFFIX, NULL};
	char name[NAME_SIZE], tmp[CACHE_DIR_NAME_MAX];
	int fd;

	if (c->dirfd < 0 || len > FILE_MAX || !name_of(id, name))
		return;
	c->dropped += cache_dir_make_room(c->dirfd, suffixes, len, c->max_bytes, &c->room_left);
	fd = cache_dir_new_file(c->dirfd, tmp);
	if (fd < 0)
		return;
	/* no fsync: a torn file fails its check and is made again */
	if (io_write(fd, blob, len) || renameat(c->dirfd, tmp, c->dirfd, name))
		unlinkat(c->dirfd, tmp, 0);
	else
		c->writes++;
	close(fd);
}

void unwind_cache_stats(const struct unwind_cache *c, struct unwind_cache_stats *out)
{
	*out = (struct unwind_cache_stats){
		.hits = c->hits, .writes = c->writes, .bad = c->bad, .dropped = c->dropped};
}
