/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads code of processes, from their memory, if it is there: what has to come from a file's server or from the process
 * itself may take for ever. It is for processes of kiln's own user. What was read of a process that has ended since is
 * remembered. One thread.
 */
#ifndef KILN_UNWIND_CODE_READER_H
#define KILN_UNWIND_CODE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/cleanup.h"

struct code_reader;

/* NULL: out of memory. */
struct code_reader *code_reader_new(void);
void code_reader_free(struct code_reader *r);
DEFINE_CLEANUP(code_reader, code_reader_free)

/* Eight bytes at an address. False: unreadable, or not in memory. */
bool code_reader_read(struct code_reader *r, pid_t tgid, uint64_t va, uint64_t *value);

#endif
