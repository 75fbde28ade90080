/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files of the running kernel and of its modules, where they are installed, and where in them
 * an address of the kernel is. A file is believed only when its build id is that of what runs
 * (/sys/kernel/notes, /sys/module/NAME/notes/.note.gnu.build-id), so that the distance between the
 * addresses in it and those in memory (KASLR) is known.
 */
#ifndef KILN_NAMING_KERNEL_DEBUG_H
#define KILN_NAMING_KERNEL_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/elf/elf_obj.h"

struct kernel_debug;
struct kernel_file;

struct kernel_debug_opts {
	const char *root;    /* before /sys, /lib/modules, /usr/lib/debug, ...: "" but in tests */
	const char *release; /* NULL: uname(2)'s */
	uint64_t stext;	     /* address of _stext in memory; 0: not known, no vmlinux then */
};

int kernel_debug_new(struct kernel_debug **out, const struct kernel_debug_opts *opts);
void kernel_debug_free(struct kernel_debug *k);

/* The file for a module, "" being the kernel itself. Borrowed. 0, -ENOENT or -ENOMEM. */
int kernel_debug_file(struct kernel_debug *k, const char *module, const struct kernel_file **file);

int kernel_file_fd(const struct kernel_file *f);
const char *kernel_file_path(const struct kernel_file *f);
const struct build_id *kernel_file_build_id(const struct kernel_file *f);
/* The address in the file. False: this is not in it. */
bool kernel_file_va(const struct kernel_file *f, uint64_t addr, uint64_t *elf_va);

#endif
