/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Perf maps that are held open while their programs run. Some programs remove theirs at their end, and a private
 * /tmp goes with its program; their samples are named later. One thread.
 */
#ifndef KILN_NAMING_KEPT_MAPS_H
#define KILN_NAMING_KEPT_MAPS_H

#include <stdint.h>

struct kept_maps;
struct perf_map;

/* Fewer where few files may be open. */
#define KEPT_MAPS_MAX 256

/* 0 or -ENOMEM. */
int kept_maps_new(struct kept_maps **out);
/* Closes them. */
void kept_maps_free(struct kept_maps *k);

/* Takes an open map, in place of the one that the program had (proc_image.id). Closes it if there are too many. */
void kept_maps_put(struct kept_maps *k, uint64_t image, const struct perf_map *map);
/* No more samples of this program come. */
void kept_maps_ended(struct kept_maps *k, uint64_t image);
/* A window has been named. Closes the maps of programs that had ended when the one before was: one that ended while a
 * window was named has samples in the next one. */
void kept_maps_window_named(struct kept_maps *k);

/* NULL: there is none, or it was lost with the opener's keeper. Borrowed until the next call of another function. */
const struct perf_map *kept_maps_get(const struct kept_maps *k, uint64_t image);

/* Maps that there was no room for. */
uint64_t kept_maps_refused(const struct kept_maps *k);

#endif
