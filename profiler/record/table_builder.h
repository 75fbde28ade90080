/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Line tables that are due are built when all is written, by a process that nobody waits for. */
#ifndef KILN_RECORD_TABLE_BUILDER_H
#define KILN_RECORD_TABLE_BUILDER_H

struct symbolizer;

/* Starts it, if there is anything to build: idle priority, no terminal, none of the descriptors kiln
 * was started with. The symbolizer stays the caller's. */
void table_builder_start(struct symbolizer *s);

#endif
