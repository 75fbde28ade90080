/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and paths of one file. Each unique one is cleaned and demangled once. */
#ifndef KILN_SYMBOLIZER_SYMBOLS_NAMES_H
#define KILN_SYMBOLIZER_SYMBOLS_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct names;

struct names *names_new(void); /* NULL when out of memory */
void names_free(struct names *n);

/* Interns foreign text as clean text. Ids start at 1. Ids and strings live until names_free(). 0
 * or -ENOMEM. */
int names_add(struct names *n, const char *text, uint32_t *id);

/* Looks up an id by the caller's key; 0: none. names_set_key() stores one: 0 or -ENOMEM. */
uint32_t names_by_key(const struct names *n, uint64_t key);
int names_set_key(struct names *n, uint64_t key, uint32_t id);

const char *names_raw(const struct names *n, uint32_t id);
/* The demangled name without compiler suffixes, made at the first call. NULL when out of memory. */
const char *names_pretty(struct names *n, uint32_t id);

size_t names_bytes(const struct names *n);

#endif
