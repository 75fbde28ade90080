// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/as_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/log.h"

void as_owner_begin(struct as_owner *a, const char *path)
{
	struct stat st;

	a->is_changed = false;
	a->gid = getegid();
	a->n_groups = getgroups(AS_OWNER_GROUPS_MAX, a->groups);
	if (geteuid() || a->n_groups < 0 || stat(path, &st) || !S_ISDIR(st.st_mode) || !st.st_uid)
		return;
	a->is_changed = true;
	if (!setgroups(0, NULL) && !setegid(st.st_gid) && !seteuid(st.st_uid) &&
	    !faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS))
		return;
	log_debug("%s is read as root: %s", path, strerror(errno));
	as_owner_end(a);
}

void as_owner_end(struct as_owner *a)
{
	if (!a->is_changed)
		return;
	a->is_changed = false;
	if (seteuid(0) || setegid(a->gid) || setgroups((size_t)a->n_groups, a->groups))
		log_debug("rights cannot be had back: %s", strerror(errno));
}
