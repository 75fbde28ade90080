/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of /proc/PID/maps (proc_pid_maps(5)), and what the names of mappings mean. */
#ifndef KILN_PROCS_MAPS_H
#define KILN_PROCS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPS_PATH_MAX 4096 /* PATH_MAX: d_path() never gives more */

struct maps_entry {
	uint64_t start, end, file_off, inode;
	uint32_t major, minor;
	bool exec;
	char path[MAPS_PATH_MAX]; /* "\012" put back to a newline */
};

/* Calls fn for every executable mapping, in the order of the text. Lines that are not as they
 * should be are skipped; returns how many those were. A non-zero return of fn ends it early. */
typedef int (*maps_fn)(void *ctx, const struct maps_entry *e);
size_t maps_parse(const char *text, size_t len, maps_fn fn, void *ctx);

enum map_kind {
	MAP_KIND_FILE,
	MAP_KIND_ANON, /* memory with no file behind it */
	MAP_KIND_VDSO,
	MAP_KIND_IGNORE, /* the kernel's own helpers: nothing of the program runs there */
};

/*
 * From the name in /proc/PID/maps or a PERF_RECORD_MMAP2. is_program: the kernel found a build id in
 * it, or it was exec'ed. A memfd is a file only then: else it is a JIT's double-mapped memory.
 */
enum map_kind map_kind_of(const char *name, bool is_program);

/* ".../jit-PID.dump": mapped executable by a JIT compiler to say that it writes this file
 * (symbolizer/jit/jitdump.h). */
bool map_is_jitdump(const char *name);

#endif
