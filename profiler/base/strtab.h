/* SPDX-License-Identifier: GPL-2.0-or-later */
/* String interning: equal strings get equal ids. Id 0 is always "". Not thread-safe. */
#ifndef KILN_BASE_STRTAB_H
#define KILN_BASE_STRTAB_H

#include <stddef.h>
#include <stdint.h>

struct strtab;

/* A table with only "" in it. NULL when out of memory. */
struct strtab *strtab_new(void);
void strtab_free(struct strtab *t);

/* Interns len bytes, or up to the first NUL. 0 or -ENOMEM. */
int strtab_add_n(struct strtab *t, const char *s, size_t len, uint32_t *id);
int strtab_add(struct strtab *t, const char *s, uint32_t *id);

/* Copies a string without interning it. It has no id and lives until strtab_free(). NULL when
 * out of memory. */
const char *strtab_keep(struct strtab *t, const char *s, size_t len);

/* Id of an interned string, or UINT32_MAX. */
uint32_t strtab_lookup(const struct strtab *t, const char *s);

/* NUL-terminated; lives until strtab_free(). "" for an id out of range. */
const char *strtab_get(const struct strtab *t, uint32_t id);

uint32_t strtab_count(const struct strtab *t);
/* Bytes held, including the index. */
size_t strtab_bytes(const struct strtab *t);

#endif
