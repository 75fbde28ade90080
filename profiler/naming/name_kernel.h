/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names kernel addresses. /proc/kallsyms gives the function. File, line and inlined calls come from
 * the installed debug files of this kernel and its modules.
 */
#ifndef KILN_NAMING_NAME_KERNEL_H
#define KILN_NAMING_NAME_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_names;
struct sym_frame;
struct symbolizer;

/* symbolizer NULL: names only. If /proc/kallsyms is unreadable, logs that and answers without
 * names. 0 or -ENOMEM. */
int kernel_names_open(struct kernel_names **out, struct symbolizer *symbolizer);
void kernel_names_close(struct kernel_names *k);
/* True if modules were loaded or unloaded since (proc_modules(5)), or if there was no descriptor
 * to read the names. Then open it again. */
bool kernel_names_stale(const struct kernel_names *k);

/* Everything is borrowed until the callback returns. */
struct kernel_answer {
	const char *name;   /* NULL: unknown */
	const char *module; /* "": the kernel itself */
	/* As in struct sym_result, except the outermost name. n_frames 0: no lines. */
	const struct sym_frame *frames;
	size_t n_frames;
};
/* 0, or -errno, which ends the search. */
typedef int (*kernel_answer_fn)(void *ctx, size_t index, const struct kernel_answer *a);

/* Names n addresses. Calls fn once for each, in any order. Ascending addresses are faster: each
 * module is then asked about once. 0 or -errno. */
int kernel_names_resolve(struct kernel_names *k, const uint64_t *addr, size_t n,
			 kernel_answer_fn fn, void *ctx);

#endif
