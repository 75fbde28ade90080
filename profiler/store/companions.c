// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/companions.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"

/* https://sqlite.org/fileformat2.html#the_rollback_journal */
#define MAGIC	     "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
#define MAGIC_BYTES  8
#define HEADER_BYTES 28
#define LEAST_BYTES  512 /* of a sector, of a page */
#define MOST_BYTES   65536
#define RECORD_BYTES 8 /* beside the page: its number and a checksum */

static int path_of(const char *path, const char *suffix, char **out)
{
	return asprintf(out, "%s%s", path, suffix) < 0 ? -ENOMEM : 0;
}

/* Only who may write to the segment, and root, can have made it. */
static int check_file(const char *path, const char *suffix, uid_t owner)
{
	_cleanup_free_ char *name = NULL;
	struct stat st;
	int err = path_of(path, suffix, &name);

	if (err)
		return err;
	if (lstat(name, &st))
		return errno == ENOENT ? 0 : -errno;
	return S_ISREG(st.st_mode) && (st.st_uid == owner || !st.st_uid) ? 0 : -EBADMSG;
}

/* -1: there is none that this process may read; SQLite cannot read it, either. */
static int open_journal(const char *path, struct stat *st)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;

	if (path_of(path, "-journal", &name))
		return -1;
	fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, st) || !S_ISREG(st->st_mode))
		return -1;
	return steal_fd(&fd);
}

/* The other journal's name stands at the end. */
static bool names_another(const char *path)
{
	_cleanup_close_ int fd = -1;
	char end[MAGIC_BYTES];
	struct stat st;

	fd = open_journal(path, &st);
	if (fd < 0 || st.st_size < 2 * MAGIC_BYTES)
		return false;
	return io_pread(fd, end, sizeof(end), (uint64_t)st.st_size - sizeof(end)) == sizeof(end) &&
	       !memcmp(end, MAGIC, MAGIC_BYTES);
}

int companions_check(const char *path)
{
	struct stat st;
	int err;

	if (lstat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	err = check_file(path, "-journal", st.st_uid) ?: check_file(path, "-wal", st.st_uid);
	err = err ?: check_file(path, "-shm", st.st_uid);
	return err ?: names_another(path) ? -EBADMSG : 0;
}

static uint32_t get_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static bool is_size(uint32_t bytes)
{
	return bytes >= LEAST_BYTES && bytes <= MOST_BYTES && !(bytes & (bytes - 1));
}

bool companions_journal_is_idle(const char *path, struct stat *journal)
{
	_cleanup_close_ int fd = -1;
	char header[HEADER_BYTES], number[4];
	uint32_t sector, page;

	fd = open_journal(path, journal);
	if (fd < 0 || io_pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header, MAGIC, MAGIC_BYTES) != 0)
		return false;
	sector = get_u32(header + 20);
	page = get_u32(header + 24);
	if (!is_size(sector) || !is_size(page) ||
	    journal->st_size > (off_t)sector + page + RECORD_BYTES)
		return false;
	return io_pread(fd, number, sizeof(number), sector) != sizeof(number) ||
	       get_u32(number) == 1;
}
