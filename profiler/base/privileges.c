// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

bool privileges_may_load_bpf(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint64_t effective;

	if (syscall(SYS_capget, &header, data))
		return true; /* then it is tried */
	effective = data[0].effective | (uint64_t)data[1].effective << 32;
	return effective & (1ull << CAP_BPF | 1ull << CAP_SYS_ADMIN);
}

int privileges_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, none))
		return -errno;
	/* It was not, for the capabilities; without it /proc/self belongs to root, and no process without
	 * privileges can be set up. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}
