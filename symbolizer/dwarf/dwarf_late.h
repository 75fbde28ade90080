/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers that wait for their names. Strings of one address lie anywhere in .debug_str. If it is
 * compressed, reading them one by one would inflate most of it each time. So answers are collected,
 * and the strings of many are read in ascending order.
 */
#ifndef KILN_SYMBOLIZER_DWARF_DWARF_LATE_H
#define KILN_SYMBOLIZER_DWARF_DWARF_LATE_H

#include "symbolizer/dwarf/dwarf_frames.h"

struct late;

int late_new(struct late **out);
void late_free(struct late *l);

/* True if strings of the frames must be read later. */
bool late_wanted(const struct frames *fr);

/* Adds the frames of an address. 0 or -ENOMEM. */
int late_add(struct late *l, size_t index, const struct frames *fr, enum dwarf_reason reason);
/* True if late_flush() is due. */
bool late_full(const struct late *l);

/* Reads the strings and gives all answers to fn. An answer with too much text is cut, with
 * DWARF_LIMIT. 0 or -ENOMEM. */
int late_flush(struct late *l, dwarf_frames_fn fn, void *ctx);

size_t late_bytes(const struct late *l);

#endif
