// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/unwind/vdso.h"

#define MAX_PAGES 16 /* 2 to 4 on x86-64 and arm64 */

int vdso_open(void)
{
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	long page = sysconf(_SC_PAGESIZE);
	_cleanup_close_ int fd = memfd_create("vdso", MFD_CLOEXEC);

	if (!vdso || fd < 0)
		return -1;
	/* write(2) stops with EFAULT at the end of the mapping, so its size need not be known */
	for (int i = 0; i < MAX_PAGES; i++)
		if (write(fd, vdso + i * page, (size_t)page) != page)
			break;
	return steal_fd(&fd);
}
