/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Idle time per CPU from /proc/stat (proc(5)). An idle CPU may sleep through the periods of a
 * cpu-clock event (seen on virtual machines): those periods are idle, not lost.
 */
#ifndef KILN_SAMPLER_IDLE_H
#define KILN_SAMPLER_IDLE_H

#include <stddef.h>
#include <stdint.h>

/* Fills idle_ns[cpu] (idle + iowait) for cpu < n; CPUs that are not listed keep their value.
 * Resolution is one clock tick (10 ms). 0 or -errno. */
int idle_read(uint64_t *idle_ns, size_t n);
/* The same from the text of the file. */
void idle_parse(const char *text, uint64_t *idle_ns, size_t n);

#endif
