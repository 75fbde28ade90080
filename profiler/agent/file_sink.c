// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/formats/export.h"

struct file_sink {
	struct window_sink base;
	char *dir;
	int lock_fd;
};

static void sink_free(struct file_sink *s)
{
	if (!s)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->dir);
	free(s);
}

DEFINE_CLEANUP(file_sink, sink_free)

static void close_sink(struct window_sink *base)
{
	sink_free((struct file_sink *)base);
}

static int append(struct window_sink *base, const struct profile *p, const struct quality *q,
		  int64_t begin_unix_ns, uint64_t duration_ns)
{
	const struct file_sink *s = (const struct file_sink *)base;
	_cleanup_free_ char *path = NULL;
	time_t begin = (time_t)(begin_unix_ns / 1000000000);
	struct outfile *f;
	struct buf out = {0};
	char when[32];
	struct tm tm;
	int err;

	(void)q; /* the profile has it, too */
	(void)duration_ns;
	strftime(when, sizeof(when), "%Y%m%dT%H%M%S", gmtime_r(&begin, &tm));
	if (asprintf(&path, "%s/kiln-%s.%03dZ.pb.gz", s->dir, when,
		     (int)(begin_unix_ns / 1000000 % 1000)) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	err = export_profile(&out, p, EXPORT_PPROF_GZ, &(struct export_opts){0}) ?: out.err;
	err = err ?: outfile_open(&f, path);
	if (!err) {
		outfile_write(f, out.data, out.len);
		err = outfile_commit(f);
	}
	buf_release(&out);
	return err;
}

static int make_dir(const char *dir, char **why)
{
	struct stat st;

	if (mkdir(dir, 0750) && errno != EEXIST) {
		int err = -errno;

		if (asprintf(why, "cannot make the directory %s: %s", dir, strerror(-err)) < 0)
			*why = NULL;
		return err;
	}
	if (!stat(dir, &st) && S_ISDIR(st.st_mode) && !access(dir, W_OK | X_OK))
		return 0;
	if (asprintf(why, "cannot write to %s: %s", dir,
		     errno == EACCES || errno == EROFS ? strerror(errno) : "not a directory") < 0)
		*why = NULL;
	return -EACCES;
}

static int lock_dir(struct file_sink *s, char **why)
{
	/* Of this process alone: the readers that it forks do not keep it. */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/lock", s->dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (s->lock_fd < 0) {
		int err = -errno;

		if (asprintf(why, "cannot write to %s: %s", s->dir, strerror(-err)) < 0)
			*why = NULL;
		return err;
	}
	if (fcntl(s->lock_fd, F_SETLK, &lock)) {
		fcntl(s->lock_fd, F_GETLK, &lock);
		if (asprintf(why, "another agent stores to %s already: process %d", s->dir,
			     lock.l_pid) < 0)
			*why = NULL;
		return -EBUSY;
	}
	return 0;
}

int file_sink_open(struct window_sink **out, const char *dir, char **why)
{
	_cleanup_(file_sink_freep) struct file_sink *s = calloc(1, sizeof(*s));
	int err;

	*why = NULL;
	if (!s)
		return -ENOMEM;
	s->lock_fd = -1;
	s->base = (struct window_sink){.append = append, .close = close_sink};
	s->dir = strdup(dir);
	err = s->dir ? 0 : -ENOMEM;
	err = err ?: make_dir(dir, why) ?: lock_dir(s, why);
	if (err)
		return err;
	*out = &steal_ptr(s)->base;
	return 0;
}
