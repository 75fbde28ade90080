/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes executable mappings of processes to the maps of the table walk (bpf/unwind_abi.h), in
 * three size classes.
 */
#ifndef KILN_UNWIND_UNWIND_MAPS_H
#define KILN_UNWIND_UNWIND_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/unwind_abi.h"

struct unwind_maps;

/* Borrows the descriptors. 0 or -ENOMEM. */
int unwind_maps_new(struct unwind_maps **out, int small_fd, int medium_fd, int large_fd);
void unwind_maps_free(struct unwind_maps *m);

struct unwind_region {
	uint64_t start, len;
	uint64_t bias; /* process address - ELF virtual address */
	uint32_t slot; /* slot of the file's table, UNWIND_SLOT_NONE or UNWIND_SLOT_JIT */
};

/*
 * Sets the mappings of a process, which do not overlap, and sorts the array. Of more than
 * UNWIND_MAPS_LARGE the lowest are kept (counted). version: of the snapshot; 0: samples report no
 * mappings, and the first sample of an image claims them. 0 or -errno (-E2BIG: the size class is
 * full, counted). After an error the kernel has no mappings of the process, so it is walked in user
 * space.
 */
int unwind_maps_set(struct unwind_maps *m, pid_t tgid, uint32_t version,
		    struct unwind_region *regions, size_t n);
/* True if the process was there. */
bool unwind_maps_remove(struct unwind_maps *m, pid_t tgid);

struct unwind_maps_stats {
	uint64_t processes, sets, full, cut;
};
void unwind_maps_stats(const struct unwind_maps *m, struct unwind_maps_stats *out);

#endif
