/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Installed debug files of the running kernel and its modules, and the translation of kernel
 * addresses to theirs. A file must have the build id of what runs (/sys/kernel/notes,
 * /sys/module/NAME/notes/.note.gnu.build-id). So the distance between its addresses and those in
 * memory (KASLR) is known.
 */
#ifndef KILN_NAMING_KERNEL_DEBUG_H
#define KILN_NAMING_KERNEL_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/build_id.h"

struct kernel_debug;
struct kernel_file;

struct kernel_debug_opts {
	/* Prefix of /sys, /lib/modules, /usr/lib/debug, ...; "" except in tests. */
	const char *root;
	const char *release; /* NULL: from uname(2) */
	uint64_t stext;	     /* address of _stext in memory; 0: unknown, so no vmlinux is used */
};

int kernel_debug_new(struct kernel_debug **out, const struct kernel_debug_opts *opts);
void kernel_debug_free(struct kernel_debug *k);

/* The debug file of a module; "" is the kernel itself. Borrowed. 0, -ENOENT or -ENOMEM. */
int kernel_debug_file(struct kernel_debug *k, const char *module, const struct kernel_file **file);

int kernel_file_fd(const struct kernel_file *f);
const char *kernel_file_path(const struct kernel_file *f);
const struct build_id *kernel_file_build_id(const struct kernel_file *f);
/* Translates a kernel address to the file's. False if the file does not have it. */
bool kernel_file_va(const struct kernel_file *f, uint64_t addr, uint64_t *elf_va);

#endif
