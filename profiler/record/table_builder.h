/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the line tables that are due, after all output is written, in a process that kiln does
 * not wait for. */
#ifndef KILN_RECORD_TABLE_BUILDER_H
#define KILN_RECORD_TABLE_BUILDER_H

struct symbolizer;

/* Starts that process if there is something to build: with idle priority, without a terminal,
 * without inherited descriptors. The symbolizer stays the caller's. */
void table_builder_start(struct symbolizer *s);

#endif
