/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Privileges that are those of kiln's file (capabilities(7), a set-user-ID bit) and not of who runs it. The kernel
 * says so by AT_SECURE (getauxval(3)).
 */
#ifndef KILN_BASE_PRIVILEGES_H
#define KILN_BASE_PRIVILEGES_H

#include <stdbool.h>

bool privileges_are_of_the_file(void);
/* Removes KILN_* from the environment: who runs kiln chooses neither what it makes of the kernel's memory nor where
 * its files are. */
void privileges_distrust_environment(void);
/* Whether this process has a capability that loading BPF programs takes. */
bool privileges_may_load_bpf(void);
/* Gives up all capabilities for good. 0 or -errno. */
int privileges_drop(void);

#endif
