/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timeline of code that came into the kernel or left it during the recording: BPF programs,
 * ftrace trampolines, pages of kprobes (PERF_RECORD_KSYMBOL). Addresses are reused soon, and
 * /proc/kallsyms only has what exists when it is read. Pure memory. Times are CLOCK_BOOTTIME.
 */
#ifndef KILN_PROCS_KSYMS_H
#define KILN_PROCS_KSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ksyms;

#define KSYM_NONE UINT32_MAX

int ksyms_new(struct ksyms **out);
void ksyms_free(struct ksyms *k);

/* Code was added. Ends symbols in the same place. Without room it is counted and left out. */
void ksyms_begin(struct ksyms *k, uint64_t t_ns, uint64_t start, uint64_t len, const char *name);
/* Code was removed. If its begin was not seen, it was there before. */
void ksyms_end(struct ksyms *k, uint64_t t_ns, uint64_t start, uint64_t len, const char *name);

/* Id of the symbol at a kernel address at that time; KSYM_NONE: ask /proc/kallsyms. Equal names
 * have equal ids. Ids are valid until ksyms_forget_names() returns true. */
uint32_t ksyms_find(const struct ksyms *k, uint64_t t_ns, uint64_t addr);

/* Name of an id as clean text, and the module that /proc/kallsyms would show: "bpf",
 * "__builtin__ftrace". */
const char *ksyms_name(const struct ksyms *k, uint32_t id, const char **module);

/* Forgets what ended before that time. */
void ksyms_expire(struct ksyms *k, uint64_t before_ns);

/*
 * For long recordings: call between two windows, when no ids are held. If there are many names,
 * forgets those without known code. True: earlier ids are invalid.
 */
bool ksyms_forget_names(struct ksyms *k);

struct ksyms_stats {
	uint64_t known; /* symbols now */
	uint64_t names; /* names, also of symbols that are forgotten */
	uint64_t bytes;
	uint64_t refused; /* symbols left out for lack of room or memory */
};
void ksyms_stats(const struct ksyms *k, struct ksyms_stats *out);

#endif
