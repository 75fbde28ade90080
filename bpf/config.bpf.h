/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings, fixed before loading: the verifier removes the branches that are off. */
#ifndef KILN_BPF_CONFIG_H
#define KILN_BPF_CONFIG_H

#include <stdbool.h>
#include <linux/types.h>

#include "bpf/abi.h"

const volatile bool want_user = true;	/* user frames (off with -K) */
const volatile bool want_kernel = true; /* kernel frames (off with -U) */
const volatile bool filter_tgids = false;
const volatile bool filter_comm = false;
/* Inode of kiln's pid namespace, whose numbers /proc and perf events have; 0: the initial one. */
const volatile __u32 pidns = 0;
const volatile __u32 n_cgroups = 0; /* entries of the cgroups map; 0: no filter */

/*
 * --comm GLOB as a bit-parallel automaton: state bit i stands before pattern element i. A byte c
 * moves the states in comm_step[c] one on; states in comm_star may also stay. Bit comm_final set at
 * the end of the name is a match. Built by profiler/sampler/glob.c.
 */
const volatile __u64 comm_step[256] = {};
const volatile __u64 comm_star = 0, comm_start = 0, comm_final = 0;

/* Which pair of maps is being filled: 0 or 1. Flipped by user space. */
volatile __u32 current_window = 0;

/*
 * The first sample since user space has read, which sets this back to 0, and after what time nothing is sampled: kiln
 * hangs, and all that is left of it would work on for nobody. By the kernel's clock alone: in a time namespace user
 * space has another.
 */
volatile __u64 unread_since_ns = 0;
const volatile __u64 unattended_after_ns = 60000000000ull;

/* User space was woken for a raw sample or a file and has not begun to read the ring since: it sets this back. */
volatile __u32 was_woken = 0;
/* The ring has a file that is to be opened before it is gone. Likewise. */
volatile __u32 has_new_file = 0;

#endif
