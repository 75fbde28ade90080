// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/cpu_place.h"

/* Fails on machines of more than CPU_SETSIZE CPUs. */
void cpu_place_init(struct cpu_place *p)
{
	p->at = -1;
	if (sched_getaffinity(0, sizeof(p->allowed), &p->allowed))
		CPU_ZERO(&p->allowed);
}

static bool may_run_on(const struct cpu_place *p, int cpu)
{
	return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &p->allowed);
}

bool cpu_place_go(struct cpu_place *p, int cpu)
{
	cpu_set_t only;

	cpu = may_run_on(p, cpu) ? cpu : CPU_PLACE_ANY;
	CPU_ZERO(&only);
	if (cpu >= 0)
		CPU_SET(cpu, &only);
	if (cpu != p->at && CPU_COUNT(&p->allowed) &&
	    !sched_setaffinity(0, sizeof(only), cpu < 0 ? &p->allowed : &only))
		p->at = cpu;
	return cpu >= 0 && p->at == cpu;
}
