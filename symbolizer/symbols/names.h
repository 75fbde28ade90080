/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names and paths handed out for one file: each unique one cleaned and demangled once. */
#ifndef KILN_SYMBOLIZER_SYMBOLS_NAMES_H
#define KILN_SYMBOLIZER_SYMBOLS_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct names;

struct names *names_new(void); /* NULL when out of memory */
void names_free(struct names *n);

/* Interns foreign text, cleaned. Ids are from 1; they and their strings live until names_free().
 * 0 or -ENOMEM. */
int names_add(struct names *n, const char *text, uint32_t *id);

/* A place to remember an id under a number of the caller's: 0 if there is none. */
uint32_t names_by_key(const struct names *n, uint64_t key);
int names_set_key(struct names *n, uint64_t key, uint32_t id);

const char *names_raw(const struct names *n, uint32_t id);
/* Demangled and folded: worked out at the first call. NULL when out of memory. */
const char *names_pretty(struct names *n, uint32_t id);

size_t names_bytes(const struct names *n);

#endif
