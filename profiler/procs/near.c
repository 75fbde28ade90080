// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/procs/near.h"

void near_files(const struct proc_mapping *m, size_t n, size_t i,
		const struct proc_mapping *near[2])
{
	near[0] = near[1] = NULL;
	for (size_t k = 1; k <= NEAR_MAX && k <= i && !near[0]; k++)
		near[0] = m[i - k].file < FILE_VDSO ? &m[i - k] : NULL;
	for (size_t k = 1; k <= NEAR_MAX && i + k < n && !near[1]; k++)
		near[1] = m[i + k].file < FILE_VDSO ? &m[i + k] : NULL;
}
