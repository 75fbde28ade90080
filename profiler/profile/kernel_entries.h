/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's time is for: system calls by their names (syscalls(2)), page faults, interrupts. Of a stack that ends
 * in the kernel the innermost of these counts, so an interrupt is no time of the system call that it came into. Kernel
 * threads have none.
 */
#ifndef KILN_PROFILE_KERNEL_ENTRIES_H
#define KILN_PROFILE_KERNEL_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"
#include "profiler/profile/profile.h"

struct kernel_entry {
	const char *name; /* the profile's text, or a constant */
	int64_t value;	  /* saturating */
};

struct kernel_entries {		       /* all-zero: empty */
	VEC(struct kernel_entry) rows; /* heaviest first */
};

/* Release what it wrote in any case. 0 or -ENOMEM. */
int kernel_entries_build(struct kernel_entries *out, const struct profile *p, size_t value);
void kernel_entries_release(struct kernel_entries *k);

/* The entry that a function of the kernel is of; NULL: of none. */
const char *kernel_entry_of(const char *function);
/* The same of one that the entry jumps to: where what calls system calls has called it. */
const char *kernel_entry_jumped_to(const char *function);

#endif
