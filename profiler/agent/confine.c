// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/agent/read_only.h"
#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/base/sanitizer.h"
#include "symbolizer/sandbox/sandbox.h"

#define NAMES_BYTES   4096
#define CLOSE_ALL_MAX ~0u

static bool may(unsigned cap)
{
	struct privileges p;

	return !privileges_get(&p) && (p.permitted & PRIVILEGE(cap));
}

/* --- the supervisor ----------------------------------------------------------------------------- */

void confine_find_user(struct identity *out)
{
	struct passwd p, *user = NULL;
	struct group g, *group = NULL;
	char names[NAMES_BYTES];

	*out = (struct identity){(uid_t)-1, (gid_t)-1, (gid_t)-1};
	if (geteuid() || !may(CAP_SETUID) || !may(CAP_SETGID))
		return;
	if (!getgrnam_r(CONFINE_USER, &g, names, sizeof(names), &group) && group)
		out->group = g.gr_gid;
	if (getpwnam_r(CONFINE_USER, &p, names, sizeof(names), &user) || !user || !p.pw_uid)
		return;
	out->uid = p.pw_uid;
	out->gid = p.pw_gid;
}

int confine_supervisor(uint64_t keep)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	privileges_bound(keep);
	return privileges_keep(keep, PRIVILEGE(CAP_KILL));
}

void confine_raise(bool all)
{
	privileges_raise(all ? ~0ull : PRIVILEGE(CAP_KILL));
}

/* --- a process ---------------------------------------------------------------------------------- */

static int die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return getppid() == parent ? 0 : -ESRCH; /* the parent ended before prctl() */
}

int confine_close_from(int first)
{
	return syscall(SYS_close_range, first, CLOSE_ALL_MAX, 0) ? -errno : 0;
}

int confine_detach(int keep_fd, pid_t parent)
{
	int high = fcntl(keep_fd, F_DUPFD_CLOEXEC, 16);

	if (high < 0 || dup3(high, CONFINE_FD, O_CLOEXEC) < 0)
		return -errno;
	return confine_close_from(CONFINE_FD + 1) ?: die_with(parent);
}

/* The group of the store's files stays, so that they can be given to it. */
static int change_user(const struct identity *who)
{
	if (!may(CAP_SETUID) || !may(CAP_SETGID))
		return 0;
	if (setgroups(who->group != (gid_t)-1, &who->group))
		return -errno;
	if (who->uid == (uid_t)-1)
		return 0;
	return setresgid(who->gid, who->gid, who->gid) || setresuid(who->uid, who->uid, who->uid)
		       ? -errno
		       : 0;
}

/* Sanitizers read /proc when the process ends. */
static int confine_files(const struct landlock_path *paths, size_t n)
{
	int err = n && !SANITIZED ? landlock_confine(paths, n) : 0;

	if (err == -ENOSYS) {
		log_debug("this kernel cannot limit which files a process reaches");
		return 0;
	}
	return err;
}

int confine_enter(const struct confinement *c, const struct identity *who, pid_t parent,
		  const struct landlock_path *paths, size_t n)
{
	int err;

	confine_raise(true);
	if (c->no_network && may(CAP_SYS_ADMIN))
		unshare(CLONE_NEWNET);
	if (c->read_only && may(CAP_SYS_ADMIN))
		read_only_mounts();
	privileges_bound(c->caps);
	err = (c->service_user ? change_user(who) : 0) ?: privileges_keep(c->caps, c->caps);
	err = err ?: confine_files(paths, n);
	/* A change of user resets this. */
	err = err ?: die_with(parent);
	if (err || !c->calls || SANITIZED)
		return err;
	return sandbox_filter_with(c->calls, c->n_calls);
}
