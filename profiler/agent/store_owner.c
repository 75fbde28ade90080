// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/store_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/agent/confine.h"
#include "profiler/base/cleanup.h"

#define MODE_DIR    0750
#define MODE_PARENT 0755

static int make_parents(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, MODE_PARENT) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* The mode is set whatever the umask says. */
static int give(int fd, const struct identity *who)
{
	gid_t group = who->group != (gid_t)-1 ? who->group : who->gid;

	if (fchmod(fd, MODE_DIR))
		return -errno;
	if (who->uid == (uid_t)-1 && group == (gid_t)-1)
		return 0;
	return fchown(fd, who->uid, group) ? -errno : 0;
}

int store_owner_prepare(const char *path, struct identity *who)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	bool made;
	int err = make_parents(path);

	if (err)
		return err == -ENOTDIR ? 0 : err;
	made = !mkdir(path, MODE_DIR);
	if (!made && errno != EEXIST)
		return errno == ENOTDIR ? 0 : -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
	if (fd < 0 || fstat(fd, &st))
		return errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	if (made)
		return give(fd, who);
	if (!geteuid() && st.st_uid != who->uid) {
		who->uid = st.st_uid ? st.st_uid : (uid_t)-1;
		who->gid = st.st_gid;
	}
	return 0;
}
