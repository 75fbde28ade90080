/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks in user space what the kernel half could not: samples of processes it did not know yet, of
 * files whose table was not there yet, and rules only DWARF can say. The result joins the window.
 */
#ifndef KILN_RECORD_SLOW_PATH_H
#define KILN_RECORD_SLOW_PATH_H

#include <stdint.h>

#include "bpf/unwind_abi.h"

struct drain;
struct files;
struct procs;
struct slow_path;
struct walker;

/* All are borrowed. 0 or -errno. */
int slow_path_new(struct slow_path **out, struct procs *procs, struct files *files,
		  struct walker *walker);
void slow_path_free(struct slow_path *s);

/* Walks all raw samples that the drain holds. The process table must know all events up to now. */
void slow_path_run(struct slow_path *s, struct drain *d);

struct slow_path_stats {
	uint64_t walked, complete;
	uint64_t lost, files_failed;	/* samples and files on which that process failed */
	uint64_t why[UNWIND_END_COUNT]; /* where the kernel half had stopped */
};
void slow_path_stats(const struct slow_path *s, struct slow_path_stats *out);

#endif
