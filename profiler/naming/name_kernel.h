/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of kernel addresses: the function is what /proc/kallsyms says it is, its file, line and
 * inlined calls come from the debug files of this kernel and its modules, if they are installed.
 */
#ifndef KILN_NAMING_NAME_KERNEL_H
#define KILN_NAMING_NAME_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_names;
struct sym_frame;
struct symbolizer;

/* symbolizer NULL: names only. Without a readable /proc/kallsyms it says so, and knows nothing.
 * 0 or -ENOMEM. */
int kernel_names_open(struct kernel_names **out, struct symbolizer *symbolizer);
void kernel_names_close(struct kernel_names *k);
/* Whether modules were loaded or unloaded since (proc_modules(5)), or there was no descriptor to read the
 * names with: then it has to be opened anew. */
bool kernel_names_stale(const struct kernel_names *k);

/* Everything is borrowed until the callback returns. */
struct kernel_answer {
	const char *name;   /* NULL: not known */
	const char *module; /* "": the kernel itself */
	/* As in struct sym_result, but for the outermost name; n_frames 0: no lines. */
	const struct sym_frame *frames;
	size_t n_frames;
};
/* 0 or -errno, which ends it. */
typedef int (*kernel_answer_fn)(void *ctx, size_t index, const struct kernel_answer *a);

/* Addresses should ascend: those of a module are then asked for at once. fn is called once for each,
 * in any order. 0 or -errno. */
int kernel_names_resolve(struct kernel_names *k, const uint64_t *addr, size_t n,
			 kernel_answer_fn fn, void *ctx);

#endif
