// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "profiler/base/io.h"
#include "profiler/base/kernel.h"

static bool parse_dotted(struct kernel_version *v, const char *text)
{
	struct kernel_version r = {0};
	int n = sscanf(text, "%4u.%4u.%4u", &r.major, &r.minor, &r.patch);

	if (n < 2)
		return false;
	*v = r;
	return true;
}

int kernel_version_parse(struct kernel_version *v, const char *release, const char *version,
			 const char *signature)
{
	const char *debian = strstr(version, "Debian "), *last;

	if (signature && (last = strrchr(signature, ' ')) && parse_dotted(v, last + 1))
		return 0;
	if (debian && parse_dotted(v, debian + strlen("Debian ")))
		return 0;
	return parse_dotted(v, release) ? 0 : -EINVAL;
}

int kernel_version_get(struct kernel_version *v)
{
	char signature[256];
	struct utsname u;
	int err;

	if (uname(&u))
		return -errno;
	err = io_read_line("/proc/version_signature", signature, sizeof(signature));
	return kernel_version_parse(v, u.release, u.version, err ? NULL : signature);
}

bool kernel_walk_can_lock_up(const struct kernel_version *v)
{
	if (v->major == 5)
		return v->minor >= 19;
	if (v->major != 6)
		return false;
	switch (v->minor) {
	case 0:
	case 2:
		return true;
	case 1:
		return v->patch <= 35;
	case 3:
		return v->patch <= 9;
	default:
		return false;
	}
}

bool kernel_perf_wants_admin(void)
{
	char level[16];

	return !io_read_line("/proc/sys/kernel/perf_event_paranoid", level, sizeof(level)) &&
	       atoi(level) > 2;
}
