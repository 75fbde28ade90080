// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/keep_windows.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/window_sink.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

struct keeper {
	struct window_sink base;
	struct window_sink *next;
	const char *dir;
};

DEFINE_CLEANUP(profile, profile_free)

/* By the few calls that the writer's filter of system calls lets through. */
static int write_file(const char *dir, int64_t begin_unix_ns, const struct buf *b)
{
	_cleanup_free_ char *path = NULL, *part = NULL;
	_cleanup_close_ int fd = -1;
	int err;

	if (asprintf(&path, "%s/%" PRId64 ".pb.gz", dir, begin_unix_ns) < 0)
		return -ENOMEM;
	if (asprintf(&part, "%s.part", path) < 0)
		return -ENOMEM;
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	err = io_pwrite(fd, b->data, b->len, 0);
	if (err)
		return err;
	return renameat2(AT_FDCWD, part, AT_FDCWD, path, 0) ? -errno : 0;
}

/* A file has its quality in comments, which the window itself is not to get. */
static int keep(const char *dir, const struct profile *p, const struct quality *q,
		int64_t begin_unix_ns)
{
	_cleanup_(profile_freep) struct profile *copy = profile_new();
	const char *why;
	struct buf b = {0};
	int err = copy ? profile_merge(copy, p, &why) : -ENOMEM;

	err = err ?: quality_store(copy, q);
	err = err ?: export_profile(&b, copy, EXPORT_PPROF_GZ, NULL);
	err = err ?: write_file(dir, begin_unix_ns, &b);
	buf_release(&b);
	return err;
}

static int append(struct window_sink *base, const struct profile *p, const struct quality *q,
		  int64_t begin_unix_ns, uint64_t duration_ns)
{
	struct keeper *k = (struct keeper *)base;
	int err = k->next->append(k->next, p, q, begin_unix_ns, duration_ns), failed;

	if (err)
		return err;
	failed = keep(k->dir, p, q, begin_unix_ns);
	if (failed)
		log_error("KILN_TEST_KEEP_WINDOWS: %s: %s", k->dir, strerror(-failed));
	return 0;
}

static void close_sink(struct window_sink *base)
{
	struct keeper *k = (struct keeper *)base;

	k->next->close(k->next);
	free(k);
}

int keep_windows(struct window_sink **sink)
{
	const char *dir = getenv("KILN_TEST_KEEP_WINDOWS");
	struct keeper *k;

	if (!dir)
		return 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	*k = (struct keeper){{append, close_sink}, *sink, dir};
	*sink = &k->base;
	return 0;
}
