/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call tree without what each stack has: how programs, threads and system calls begin. */
#ifndef KILN_PROFILE_CALLTREE_FOLD_H
#define KILN_PROFILE_CALLTREE_FOLD_H

#include "profiler/profile/calltree.h"

/*
 * Makes one node of each chain of ceremony (frame_role.h) in which every call has all time of its caller. It is the
 * innermost one with all names, "_start > __libc_start_main > main", of a long chain the first and the last:
 * "_start > .. > main". For trees that are not inverted. 0 or -ENOMEM; the tree is whole in any case.
 */
int calltree_fold_ceremony(struct calltree *t);

#endif
