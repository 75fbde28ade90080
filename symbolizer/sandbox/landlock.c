// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

/* Of <linux/landlock.h>, which some distributions have without what came later, or not at all. The numbers of
 * the calls are the same on all architectures. */
#define CREATE_RULESET 444
#define ADD_RULE       445
#define RESTRICT_SELF  446
#define ASK_VERSION    1
#define PATH_BENEATH   1

#define FS_EXECUTE   (1ull << 0)
#define FS_WRITE     (1ull << 1)
#define FS_READ	     (1ull << 2)
#define FS_READ_DIR  (1ull << 3)
#define FS_RM_DIR    (1ull << 4)
#define FS_RM_FILE   (1ull << 5)
#define FS_MAKE_DIR  (1ull << 7)
#define FS_MAKE_REG  (1ull << 8)
#define FS_REFER     (1ull << 13) /* from version 2 */
#define FS_TRUNCATE  (1ull << 14) /* 3 */
#define FS_IOCTL     (1ull << 15) /* 5 */
#define FS_ALL_OF_V1 ((1ull << 13) - 1)
#define NET_BIND     1ull /* 4 */
#define NET_CONNECT  2ull
#define SCOPE_ALL    3ull /* 6: sockets in the abstract, signals */

struct ruleset {
	uint64_t fs, net, scoped;
};

struct __attribute__((packed)) path_rule {
	uint64_t allowed;
	int32_t fd;
};

static uint64_t files_of(long version)
{
	return FS_ALL_OF_V1 | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) |
	       (version >= 5 ? FS_IOCTL : 0);
}

/* Older kernels want to be handed no more than they know. */
static int make_ruleset(struct ruleset *r, bool may_connect)
{
	long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
	size_t len = sizeof(r->fs);
	int fd;

	/* A filter of a service manager may refuse what it does not know. */
	if (version < 1)
		return -ENOSYS;
	*r = (struct ruleset){.fs = files_of(version)};
	if (version >= 4) {
		r->net = NET_BIND | (may_connect ? 0 : NET_CONNECT);
		len += sizeof(r->net);
	}
	if (version >= 6) {
		r->scoped = SCOPE_ALL;
		len += sizeof(r->scoped);
	}
	fd = (int)syscall(CREATE_RULESET, r, len, 0);
	return fd < 0 ? -errno : fd;
}

static uint64_t allowed_by(enum landlock_use use, bool is_dir)
{
	uint64_t read = FS_READ | (is_dir ? FS_READ_DIR : 0);

	if (use == LANDLOCK_READ)
		return read;
	return read | FS_WRITE | FS_TRUNCATE |
	       (is_dir ? FS_RM_DIR | FS_RM_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER : 0);
}

static int add_path(int ruleset, const struct ruleset *r, const struct landlock_path *p)
{
	_cleanup_close_ int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct path_rule rule = {.fd = fd};
	struct stat st;

	if (fd < 0)
		return 0; /* nothing to reach there */
	if (fstat(fd, &st))
		return -errno;
	rule.allowed = allowed_by(p->use, S_ISDIR(st.st_mode)) & r->fs;
	return syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0) ? -errno : 0;
}

int landlock_confine(const struct landlock_path *paths, size_t n)
{
	_cleanup_close_ int ruleset = -1;
	bool may_connect = false;
	struct ruleset r;

	for (size_t i = 0; i < n; i++)
		may_connect |= paths[i].use == LANDLOCK_CONNECT;
	ruleset = make_ruleset(&r, may_connect);
	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; i < n; i++) {
		int err = paths[i].use == LANDLOCK_CONNECT ? 0 : add_path(ruleset, &r, &paths[i]);

		if (err)
			return err;
	}
	return syscall(RESTRICT_SELF, ruleset, 0) ? -errno : 0;
}
