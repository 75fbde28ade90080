/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses /proc/PID/maps (proc_pid_maps(5)), and classifies the names of mappings. */
#ifndef KILN_PROCS_MAPS_H
#define KILN_PROCS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPS_PATH_MAX 4096 /* PATH_MAX, the limit of d_path() */

struct maps_entry {
	uint64_t start, end, file_off, inode;
	uint32_t major, minor;
	bool exec;
	char path[MAPS_PATH_MAX]; /* with "\012" turned back into a newline */
};

/* Calls fn for each executable mapping, in the order of the text. A non-zero result of fn ends
 * it early. Skips malformed lines and returns their number. */
typedef int (*maps_fn)(void *ctx, const struct maps_entry *e);
size_t maps_parse(const char *text, size_t len, maps_fn fn, void *ctx);

enum map_kind {
	MAP_KIND_FILE,
	MAP_KIND_ANON, /* memory without a file */
	MAP_KIND_VDSO,
	MAP_KIND_IGNORE, /* the kernel's helpers: no code of the program */
};

/* What a mapping's file is known to hold. */
enum map_content {
	MAP_CONTENT_UNKNOWN,
	MAP_CONTENT_PROGRAM, /* the kernel found a build id or an ELF header, or it was exec'ed */
	MAP_CONTENT_OTHER,   /* the kernel looked, and found neither */
};

/*
 * Kind of a mapping, from its name in /proc/PID/maps or PERF_RECORD_MMAP2. Only what holds a program
 * is a file if it is a memfd or in /dev/shm. Else it is memory that a JIT compiler maps twice. Some use
 * a temporary file that they delete at once. A library may be deleted there, too, so this takes
 * MAP_CONTENT_OTHER.
 */
enum map_kind map_kind_of(const char *name, enum map_content content);

/* True for ".../jit-PID.dump". A JIT compiler maps it executable to announce that it writes this
 * file (symbolizer/jit/jitdump.h). */
bool map_is_jitdump(const char *name);

#endif
