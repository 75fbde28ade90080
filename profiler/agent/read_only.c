// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/read_only.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cache_dir.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"

/* Of <linux/mount.h>, which cannot be included beside <sys/mount.h> everywhere. The number of the call is the
 * same on all architectures. */
#define SET_ATTR  442
#define READ_ONLY 1ull
#define RECURSIVE 0x8000

struct attributes {
	uint64_t set, clear, propagation, userns_fd;
};

static int set_attributes(const char *path, unsigned flags, uint64_t set, uint64_t clear)
{
	struct attributes a = {.set = set, .clear = clear};

	return syscall(SET_ATTR, AT_FDCWD, path, flags, &a, sizeof(a)) ? -errno : 0;
}

/* A mount of its own, so that it can differ from what it lies in. */
static bool bind_itself(const char *path)
{
	return !mount(path, path, NULL, MS_BIND, NULL);
}

/* Makes "/var/cache/kiln/unwind", as its user will, and leaves "/var/cache/kiln" in path. */
static bool bind_cache(char *path, size_t size)
{
	_cleanup_close_ int fd = -1;

	if (!cache_dir_path("unwind", path, size))
		return false;
	fd = cache_dir_open(path);
	*strrchr(path, '/') = '\0';
	return fd >= 0 && bind_itself(path);
}

/* What of /proc is the kernel's own stays read-only. */
static int set_all(void)
{
	char cache[PATH_MAX];
	bool has_cache = bind_cache(cache, sizeof(cache));
	int err;

	bind_itself("/proc/sys");
	bind_itself("/proc/sysrq-trigger");
	err = set_attributes("/", RECURSIVE, READ_ONLY, 0)
		      ?: set_attributes("/proc", 0, 0, READ_ONLY);
	if (!err && has_cache)
		err = set_attributes(cache, 0, 0, READ_ONLY);
	return err;
}

void read_only_mounts(void)
{
	int err = 0;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		err = -errno;
	err = err ?: set_all();
	if (err)
		log_debug("files of others are not read-only for the sampler: %s", strerror(-err));
}
