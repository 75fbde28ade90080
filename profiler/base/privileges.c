// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/kernel.h"
#include "profiler/base/log.h"

#define PREFIX "KILN_"

bool privileges_are_of_the_file(void)
{
	return getauxval(AT_SECURE);
}

/* Entries without "=" are in no one's way: getenv() does not find them. */
void privileges_distrust_environment(void)
{
	size_t n = 0;

	for (char **e = environ; e && *e; e++) {
		if (strncmp(*e, PREFIX, strlen(PREFIX)) != 0)
			environ[n++] = *e;
	}
	if (environ)
		environ[n] = NULL;
}

int privileges_get(struct privileges *out)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, d))
		return -errno;
	out->in_force = d[0].effective | (uint64_t)d[1].effective << 32;
	out->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	return 0;
}

int privileges_set(const struct privileges *p)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (uint32_t)p->in_force, .permitted = (uint32_t)p->permitted},
		{.effective = (uint32_t)(p->in_force >> 32),
		 .permitted = (uint32_t)(p->permitted >> 32)},
	};

	return syscall(SYS_capset, &header, d) ? -errno : 0;
}

int privileges_keep(uint64_t permitted, uint64_t in_force)
{
	struct privileges p;
	int err;

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	err = privileges_get(&p);
	if (err)
		return err;
	p.permitted &= permitted;
	p.in_force = p.permitted & in_force;
	return privileges_set(&p);
}

void privileges_bound(uint64_t keep)
{
	for (unsigned cap = 0; cap < 64; cap++)
		if (!(keep & PRIVILEGE(cap)))
			prctl(PR_CAPBSET_DROP, (unsigned long)cap, 0, 0, 0);
}

void privileges_raise(uint64_t in_force)
{
	struct privileges p;

	if (privileges_get(&p))
		return;
	p.in_force = p.permitted & in_force;
	if (privileges_set(&p))
		log_debug("capabilities stay as they are: %s", strerror(errno));
}

bool privileges_may_load_bpf(void)
{
	struct privileges p;

	if (privileges_get(&p))
		return true; /* then it is tried */
	return p.in_force & (PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_SYS_ADMIN));
}

/* --- while it records ------------------------------------------------------------------------------- */

/* Readers are another user's, and so may be the command that gets SIGTERM at last. The rings of perf events count as
 * locked memory, of which containers often allow next to none. */
#define RECORDING                                                                                  \
	(PRIVILEGES_SAMPLING | PRIVILEGE(CAP_KILL) | PRIVILEGE(CAP_SYS_NICE) |                     \
	 PRIVILEGE(CAP_IPC_LOCK))
/* Root's output may lie in somebody else's directory, and under sudo it is given to who asked for it. */
#define OUTPUT (PRIVILEGE(CAP_CHOWN) | PRIVILEGE(CAP_DAC_OVERRIDE) | PRIVILEGE(CAP_FOWNER))

/* A CPU that comes up gets an event. */
static uint64_t recording(void)
{
	return RECORDING | (kernel_perf_wants_admin() ? PRIVILEGE(CAP_SYS_ADMIN) : 0);
}

int privileges_record(void)
{
	uint64_t in_force = recording();
	int err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;

	privileges_bound(0);
	return err ?: privileges_keep(in_force | OUTPUT, in_force);
}

struct privileges privileges_write_output(void)
{
	struct privileges was = {0};

	if (privileges_get(&was))
		return was;
	privileges_raise(privileges_are_of_the_file() ? 0 : ~0ull);
	return was;
}

/* --- none -------------------------------------------------------------------------------------------- */

int privileges_drop(void)
{
	int err = privileges_keep(0, 0);

	if (err)
		return err;
	/* It was not, for the capabilities; without it /proc/self belongs to root, and no process without
	 * privileges can be set up. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}
