/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that came into the kernel or left it while we watched: BPF programs, ftrace's trampolines,
 * kprobes' instruction pages (PERF_RECORD_KSYMBOL). Addresses are reused soon, and /proc/kallsyms
 * has only what is there when it is read, so this is a timeline. Pure memory; CLOCK_BOOTTIME.
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

/* What there is no room for is counted. Code that was in the same place has ended by then. */
void ksyms_begin(struct ksyms *k, uint64_t t_ns, uint64_t start, uint64_t len, const char *name);
/* Of code that was not seen to come: it had been there before. */
void ksyms_end(struct ksyms *k, uint64_t t_ns, uint64_t start, uint64_t len, const char *name);

/* Id of what was at an address of the kernel then; KSYM_NONE: ask /proc/kallsyms. Equal names have
 * equal ids, which are valid until ksyms_forget_names() says otherwise. */
uint32_t ksyms_find(const struct ksyms *k, uint64_t t_ns, uint64_t addr);

/* Clean name of an id, and what /proc/kallsyms would call its module: "bpf", "__builtin__ftrace". */
const char *ksyms_name(const struct ksyms *k, uint32_t id, const char **module);

/* Forgets what ended before that time. */
void ksyms_expire(struct ksyms *k, uint64_t before_ns);

/*
 * For a run without end, between two windows, when nobody keeps an id: if there are many names, forgets
 * those that no code known now has. True: ids of before are not valid any more.
 */
bool ksyms_forget_names(struct ksyms *k);

struct ksyms_stats {
	uint64_t known; /* now */
	uint64_t names; /* also of what is forgotten */
	uint64_t bytes;
	uint64_t refused; /* for lack of room or memory */
};
void ksyms_stats(const struct ksyms *k, struct ksyms_stats *out);

#endif
